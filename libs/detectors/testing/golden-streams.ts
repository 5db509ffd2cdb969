import { readFileSync } from 'node:fs';
import type { OptimizerFacts, RunFacts, StepReadings } from '../detector.js';

/** The stored streams of `test/golden`, as steps with readings, and the events that they must give. */
export interface GoldenStream {
  readonly name: string;
  readonly facts: RunFacts;
  readonly steps: readonly StepReadings[];
  /** `[step, stage, detail]` or `[step, stage, detail, onset]`, in the reference's words. */
  readonly events: readonly (readonly [number, string, string, number?])[];
  readonly earlyLabel: string | undefined;
}

interface StageStreams {
  cases: {
    name: string;
    loss: 'mse' | 'ce';
    optimizer: string;
    rows: [number, number, number, number, number][];
    expected_events: [number, string, string, number?][];
    early_label: string;
  }[];
}

interface SgdStreams {
  cases: { B: number; eta: number; rows: number[][]; events_with_edge_EMA_BS_over_0p85: [number, string, string, number?][] }[];
}

export const plainSgd: OptimizerFacts = {
  name: 'sgd',
  momentum: 0,
  dampening: 0,
  nesterov: false,
  beta1: 0,
  beta2: 0,
  epsilon: 0,
  weightDecay: 0,
  decoupledDecay: false,
};

function read<T>(file: string): T {
  return JSON.parse(readFileSync(new URL(`../../../test/golden/${file}`, import.meta.url), 'utf8')) as T;
}

export function stageStreams(): readonly GoldenStream[] {
  return read<StageStreams>('stage_streams.json').cases.map((stream) => {
    const adaptive = stream.optimizer === 'adam';
    return {
      name: stream.name,
      facts: {
        loss: stream.loss === 'ce' ? 'cross-entropy' : 'mse',
        optimizer: { ...plainSgd, name: adaptive ? 'adam' : 'sgd' },
        batch: 'full',
      },
      steps: stream.rows.map(([step, loss, sharpness, lr, threshold]) => ({
        step,
        readings: {
          'loss.train': loss,
          lr,
          [adaptive ? 'sharpness.preconditioned' : 'sharpness']: sharpness,
          'sharpness.threshold': threshold,
        },
      })),
      events: stream.expected_events,
      earlyLabel: stream.early_label,
    };
  });
}

export function sgdStreams(): readonly GoldenStream[] {
  return read<SgdStreams>('sgd_stream.json').cases.map(({ B, eta, rows, events_with_edge_EMA_BS_over_0p85 }) => ({
    name: `sgd B=${B} eta=${eta}`,
    facts: { loss: 'mse', optimizer: plainSgd, batch: B },
    steps: rows.map(([step, loss, sharpness, batchSharpness]) => ({
      step: step!,
      readings: { 'loss.train': loss!, lr: eta, sharpness: sharpness!, 'sharpness.batch': batchSharpness! },
    })),
    events: events_with_edge_EMA_BS_over_0p85,
    earlyLabel: undefined,
  }));
}

/** The same steps from a job that sends every value only when it changes. */
export function onChange(steps: readonly StepReadings[]): readonly StepReadings[] {
  const last = new Map<string, number>();
  return steps.map(({ step, readings }) => {
    const changed = Object.entries(readings).filter(([name, value]) => last.get(name) !== value);
    for (const [name, value] of changed) last.set(name, value);
    return { step, readings: Object.fromEntries(changed) };
  });
}
