import { executorContracts } from './executor.js';

await executorContracts(['ort-cuda', 'tfjs-node-gpu']);
