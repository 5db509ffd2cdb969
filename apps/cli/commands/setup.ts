import { readConfig } from '#runtime/config.js';
import { exitCodes, UsageError, type Command } from '../command.js';

export const setupCommand: Command = {
  name: 'setup',
  usage: 'tfjs [--gpu]',
  summary: 'Builds what cannot be installed ready-made: tfjs on TensorFlow.',
  description: [
    'tfjs: the native package of TensorFlow.js, compiled against the TensorFlow of the Python index, into a folder of its own',
    '(STAGEWATCH_TFJS_DIR; default ~/.cache/stagewatch/tfjs). Needs Linux, python3 with venv, g++ and 2 GiB of disk; with',
    '--gpu an NVIDIA card with its driver, and 10 GiB. What is there already is checked and kept.',
  ].join('\n'),
  options: {
    gpu: { type: 'boolean', help: 'With the libraries of CUDA, for NVIDIA cards: the executor tfjs-node-gpu.' },
    dir: { type: 'string', value: 'DIR', help: 'Where to build (STAGEWATCH_TFJS_DIR).' },
    json: { type: 'boolean', help: 'Print the result as JSON.' },
  },
  maxPositionals: 1,
  async run({ flags, positionals, io }) {
    if (positionals[0] !== 'tfjs') throw new UsageError(`what is to be set up? 'tfjs' is all that there is`);
    const { engine } = readConfig({ STAGEWATCH_TFJS_DIR: flags['dir'] as string | undefined });
    const { setupTfjs } = await import('#analyzer/machine.js');
    const startedMs = performance.now();
    const seconds = (): string => ((performance.now() - startedMs) / 1000).toFixed(0).padStart(4);
    const result = await setupTfjs({
      tfjsDir: engine.tfjsDir,
      gpu: flags['gpu'] === true,
      progress: (text) => io.err(`${seconds()} s  ${text}\n`),
      signal: io.signal,
    });
    if (flags['json'] === true) io.out(`${JSON.stringify(result)}\n`);
    else {
      const { executor, folder, tensorflow, gpu, already } = result;
      const device = gpu ? 'on the graphics card' : 'on the CPU';
      io.out(`${executor} ${already ? 'is there and works' : 'works'}: TensorFlow ${tensorflow} ${device}, at ${folder}\n`);
      if (executor === 'tfjs-node-gpu' && !gpu)
        io.err('It found no graphics card that it can use, and starts only where there is one.\n');
    }
    return exitCodes.ok;
  },
};
