import { createOrtCpuExecutor } from '#engine/executors/ort-cpu.js';
import { probeModelContract } from './probe-model.js';

probeModelContract({ executor: 'reference', tolerance: 2e-6 });
probeModelContract({ executor: 'ort-cpu', tolerance: 2e-5 });
// As where the host cannot see the executor's memory: vectors are cut and joined by graphs.
probeModelContract({
  executor: { ...createOrtCpuExecutor({ threads: 1 }), name: 'ort-cpu at a distance', inHostMemory: false },
  tolerance: 2e-5,
});
