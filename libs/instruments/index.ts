/** The front door of this room: what is measured of a snapshot, and whether it may be believed. */
export { keptPairs, lossesApart, type LossPair } from './compare-losses.js';
export { compareReference, type ReferenceMeasurement, type ReferenceVerdict } from './compare-reference.js';
export type { Instrument, Need, OptimizerConstants, OptimizerGroup, Reading, TrackerState } from './instrument.js';
export {
  measureSnapshot,
  snapshotInstruments,
  type InstrumentState,
  type SnapshotMeasurement,
  type SnapshotReadings,
} from './measure-snapshot.js';
