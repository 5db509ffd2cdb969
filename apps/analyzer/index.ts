/** The front door of this room; for a Nest application of its own there is `analyzer.module.js`. */
export { createAnalyzer, type Analyzer } from './analyzer.js';
export { describeExecutors } from '#engine/describe-executors.js';
export { tryMeasuring } from './measure/try-measuring.js';
export { setupTfjs } from '#engine/setup/setup-tfjs.js';
export type { OperatorsTable } from '#engine/verify/operators-table.js';
export { verifyExecutors } from '#engine/verify/verify-executors.js';
