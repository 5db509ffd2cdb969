import { provideWebGpu } from '../support/software-webgpu.js';
import { executorContracts } from './executor.js';

provideWebGpu('executors on WebGPU');
await executorContracts(['ort-webgpu'], { keepsNaN: false });
await executorContracts(['tfjs-webgpu'], { keepsNaN: false, quick: true });
