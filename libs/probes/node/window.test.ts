import { describe, expect, it } from 'vitest';
import { codec } from '#wire/codec.js';
import { recordItem } from './records.js';
import { Window } from './window.js';

const decode = (bytes: Buffer) => codec('Record').decode(bytes);
const sequences = (batch: readonly Buffer[]): number[] => batch.map((bytes) => decode(bytes).sequence);
const point = (step: number) => recordItem({ step, scalars: { names: ['a'], nameIndex: [0], steps: [step], values: [step] } }, 1);

function filled(count: number, creditBytes: number): Window {
  const window = new Window();
  window.restart(1, creditBytes);
  for (let step = 1; step <= count; step++) window.add(point(step));
  return window;
}

describe('window', () => {
  it('numbers records in order, without changing the rest of them', () => {
    const window = filled(300, 1e6);
    const batch = window.batch(1e6, 1000);
    expect(sequences(batch)).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
    expect(decode(batch[299]!)).toMatchObject({ sequence: 300, step: 300, body: 'scalars', scalars: { values: [300] } });
  });

  it('sends no more than the credit, but always one', () => {
    const size = filled(1, 1e6).batch(1e6, 10)[0]!.length;
    const window = filled(10, 3 * size + 2);
    expect(sequences(window.batch(1e6, 100))).toEqual([1, 2, 3]);
    expect(window.batch(1e6, 100)).toEqual([]);
    window.acknowledge(2);
    expect(sequences(window.batch(1e6, 100))).toEqual([4, 5]);
    const tight = filled(2, 1);
    expect(sequences(tight.batch(1e6, 100))).toEqual([1]);
    tight.acknowledge(1);
    expect(sequences(tight.batch(1e6, 100))).toEqual([2]);
  });

  it('sends again what was not acknowledged, and nothing that is durable', () => {
    const window = filled(5, 1e6);
    window.batch(1e6, 4);
    window.acknowledge(1);
    window.restart(3, 1e6);
    expect(sequences(window.batch(1e6, 100))).toEqual([3, 4, 5]);
  });

  it('puts a gap in the place of a record that is refused for good', () => {
    const window = filled(3, 1e6);
    window.acknowledge(1);
    window.replaceFirst(7);
    window.restart(2, 1e6);
    const [gap, next] = window.batch(1e6, 100).map(decode);
    expect(gap).toMatchObject({
      sequence: 2,
      step: 7,
      gap: { points: 1, snapshots: 0, reason: 'refused', firstStep: 2, lastStep: 2 },
    });
    expect(next).toMatchObject({ sequence: 3, step: 3 });
  });
});
