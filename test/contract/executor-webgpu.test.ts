import { provideWebGpu } from '../support/software-webgpu.js';
import { executorContracts } from './executor.js';

provideWebGpu('executors on WebGPU');
await executorContracts(['ort-webgpu', 'tfjs-webgpu'], { keepsNaN: false });
