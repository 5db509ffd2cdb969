/**
 * The front door of this room; for a Nest application of its own there is `analyzer.module.js`. Nothing behind it loads the
 * engine: measuring has processes of its own.
 */
export { createAnalyzer, type Analyzer } from './analyzer.js';
