import { ExecutorSpace } from '#engine/executor-space.js';
import { createOrtCpuExecutor } from '#engine/executors/ort-cpu.js';
import { createReferenceExecutor } from '#engine/executors/reference.js';
import { createHostSpace } from '#math/host-space.js';
import { vectorSpaceContract } from './vector-space.js';

vectorSpaceContract({ name: 'host', open: createHostSpace });
vectorSpaceContract({ name: 'reference', open: (size) => new ExecutorSpace(createReferenceExecutor(), size) });
vectorSpaceContract({ name: 'ort-cpu', open: (size) => new ExecutorSpace(createOrtCpuExecutor({ threads: 1 }), size) });
vectorSpaceContract({
  name: 'ort-cpu at a distance',
  open: (size) => new ExecutorSpace({ ...createOrtCpuExecutor({ threads: 1 }), inHostMemory: false }, size),
});
