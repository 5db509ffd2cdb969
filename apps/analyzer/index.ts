export { createAnalyzer, type Analyzer, type AnalyzerOptions } from './analyzer.js';
export { ANALYZER, AnalyzerModule } from './analyzer.module.js';
export type { AnalyzerParts } from './parts.js';
export { describeExecutors } from '#engine/describe-executors.js';
