import { expect, it } from 'vitest';
import type { Bus, OutgoingMessage } from '#bus/bus.js';
import { decodeJson } from '#bus/messages.js';
import { createLogger } from '#runtime/logging.js';
import { CadenceBrake } from './cadence-brake.js';
import type { RunMemory } from '../judge/memory.js';

it('CadenceBrake - asks for fewer snapshots while they wait too long, and for the old cadence afterwards', () => {
  const asked: unknown[] = [];
  const publish = (_: string, messages: readonly OutgoingMessage[]): Promise<never[]> => {
    asked.push(...messages.map(({ body }) => decodeJson(body)));
    return Promise.resolve([]);
  };
  let nowMs = 100_000;
  const brake = new CadenceBrake({ publish } as unknown as Bus, createLogger({ level: 'silent' }), () => nowMs);
  const measured = (step: number, ageMs: number): void => {
    const memory = { step: 50, wish: { everySteps: 1, factor: 1.05, fromStep: 40, untilStep: 180, sinceMs: 0 } } as RunMemory;
    brake.measured({ run: 'r', position: step, timeMs: nowMs - ageMs }, step, memory);
  };
  measured(1, 0);
  measured(4, 25_000);
  measured(7, 25_000);
  nowMs += 11_000;
  measured(10, 25_000);
  measured(13, 10_000);
  measured(16, 100);
  measured(19, 100);
  expect(asked).toEqual([
    { kind: 'cadence', fromStep: 50, everySteps: 6, factor: 1.1, untilStep: 650, forMs: 60_000 },
    { kind: 'cadence', fromStep: 50, everySteps: 12, factor: 1.1, untilStep: 1250, forMs: 60_000 },
    { kind: 'cadence', fromStep: 50, everySteps: 1, factor: 1.05, untilStep: 180, forMs: 600_000 },
  ]);
});
