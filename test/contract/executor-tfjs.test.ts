import { executorContracts } from './executor.js';

await executorContracts(['tfjs-node', 'tfjs-wasm', 'tfjs-cpu']);
