import { probeModelContract } from './probe-model.js';

probeModelContract({ executor: 'reference', tolerance: 2e-6 });
probeModelContract({ executor: 'ort-cpu', tolerance: 2e-5 });
