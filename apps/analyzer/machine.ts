/** What commands ask of this machine, without a service: the engine is loaded here. */
export { describeExecutors } from '#engine/describe-executors.js';
export { tryMeasuring } from './measure/try-measuring.js';
export { setupTfjs } from '#engine/setup/setup-tfjs.js';
export type { OperatorsTable } from '#engine/verify/operators-table.js';
export { verifyExecutors } from '#engine/verify/verify-executors.js';
