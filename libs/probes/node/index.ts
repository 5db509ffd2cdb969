/** The TypeScript probe: `attach` for hand-written loops, `attachTfjs` for tfjs LayersModels. */
export { attach, type AttachedRun, type Run, type StepValues } from './run.js';
export { attachTfjs, type TfjsCallbacks, type TfjsModel, type TfjsRun } from './tfjs.js';
export type { AttachOptions, ModelData, ProbeSetData } from './options.js';
export type { DrainReport } from './messages.js';
