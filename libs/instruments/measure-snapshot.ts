import type { Linearization, ProbeModel } from '#engine/index.js';
import { edgeRatio } from './edge-ratio.js';
import { gradientNorm } from './gradient-norm.js';
import type { Instrument, Measured, OptimizerConstants, Reading, SnapshotContext, TrackerState } from './instrument.js';
import { lossProbe } from './loss-probe.js';
import { sharpnessPreconditioned } from './sharpness-preconditioned.js';
import { sharpness } from './sharpness.js';
import { sharpnessThreshold } from './sharpness-threshold.js';

/** In the order in which they run: a later one may use the value of an earlier one. */
export const snapshotInstruments: readonly Instrument[] = [
  lossProbe,
  gradientNorm,
  sharpness,
  sharpnessPreconditioned,
  sharpnessThreshold,
  edgeRatio,
];

/** Of λ1: the errors that were seen stay below 3e-4 then, with a median of 7e-5; each factor of 3 costs one or two products. */
const defaultTolerance = 3e-4;

export interface SnapshotMeasurement {
  readonly model: Pick<ProbeModel, 'parameterCount' | 'parameters' | 'device' | 'space' | 'gradient' | 'linearize'>;
  /** Of the probe set, in hex. */
  readonly probeDigest: string;
  readonly theta: Float32Array;
  readonly learningRate: number;
  readonly optimizer: OptimizerConstants;
  /** What the measurement before left; without it the search starts cold. */
  readonly previous?: TrackerState | undefined;
  /** Why readings of curvature must not be believed, when that is known: a failed check. Then none is taken. */
  readonly curvatureOff?: string | undefined;
  /** Vectors that a search may hold, each with its product: fewer take less memory and more products. */
  readonly maxBasis?: number | undefined;
  /** Of λ1 (3e-4). */
  readonly relativeTolerance?: number | undefined;
}

export interface InstrumentState {
  readonly on: boolean;
  /** Empty when it is on. */
  readonly reason: string;
}

export interface SnapshotReadings {
  readonly readings: readonly Reading[];
  readonly instruments: Readonly<Record<string, InstrumentState>>;
  /** For the next measurement. */
  readonly state: TrackerState | undefined;
}

/** Runs the instruments on one snapshot, from one linearization: the loss and the gradient fall out of it. */
export async function measureSnapshot(measurement: SnapshotMeasurement): Promise<SnapshotReadings> {
  const { model, theta, learningRate, optimizer, previous, curvatureOff, maxBasis } = measurement;
  const { relativeTolerance = defaultTolerance } = measurement;
  const start = performance.now();
  const point = curvatureOff === undefined ? await model.linearize(theta) : withoutCurvature(await model.gradient(theta));
  const linearizeSeconds = (performance.now() - start) / 1000;
  const readings: Reading[] = [];
  const instruments: Record<string, InstrumentState> = {};
  let state = previous;
  const value: SnapshotContext['value'] = (name) => readings.find((reading) => reading.name === name)?.value;
  const context = { model, point, learningRate, optimizer, previous, maxBasis, relativeTolerance, value };
  try {
    for (const instrument of snapshotInstruments) {
      if (instrument.isFor?.(optimizer) === false) continue;
      const began = performance.now();
      const measured: Measured =
        curvatureOff !== undefined && instrument.products > 0 ? { off: curvatureOff } : await instrument.measure(context);
      if ('off' in measured) {
        instruments[instrument.name] = { on: false, reason: measured.off };
        continue;
      }
      instruments[instrument.name] = { on: true, reason: '' };
      // The linearization is shared: it counts to the first instrument, whose readings fall out of it.
      const seconds = (performance.now() - began) / 1000 + (instrument === snapshotInstruments[0] ? linearizeSeconds : 0);
      for (const { name, key = '', value: number, bound = Number.NaN, products = 0 } of measured.quantities) {
        const { device } = model;
        readings.push({ name, key, value: number, bound, products, seconds, device, probeDigest: measurement.probeDigest });
      }
      state = measured.state ?? state;
    }
  } finally {
    await point.close();
  }
  return { readings, instruments, state };
}

function withoutCurvature(point: { readonly loss: number; readonly gradient: Float32Array }): Linearization {
  const refuse = () => Promise.reject(new Error('This snapshot is measured without curvature'));
  return {
    ...point,
    multiply: refuse,
    multiplyBlock: refuse,
    close: async () => {},
  };
}
