import { executorContracts } from './executor.js';

await executorContracts(['ort-cpu', 'reference'], { quick: true });
