import { constants } from 'node:os';
import type { FileMeasurement, FileMeasurementOptions } from '#analyzer/measure-file.js';
import { toJsonNumber } from '#math/json-number.js';
import { StagewatchError } from '#runtime/errors.js';
import { exitCodes, UsageError, type Command, type Invocation, type Io } from '../command.js';
import { lossFrom, lossOptions } from '../loss-options.js';
import { readingFrom, readingOptions } from '../reading-options.js';
import { serviceConfig } from '../service-options.js';
import { table } from '../table.js';

/** Nothing is said of how far the work is before it has taken this long, nor more often. */
const progressEveryMs = 2000;

export const measureCommand: Command = {
  name: 'measure',
  usage: '--model FILE (--probe FILE | --random N) [--parameters FILE] [--loss KIND] [--top K] [--json]',
  summary: 'Loss, gradient norm and sharpness of a model in a file, on a probe set.',
  description: [
    'FILE of a model: .onnx, or the model.json of a tfjs LayersModel or GraphModel. All its weights count as parameters, with',
    'the values that they have there unless --parameters names a .safetensors or .npz file. The probe set is an .npz file with x and y; a model',
    'with several inputs takes arrays of their names. Losses are means over examples. Exits with 2 when a file does not fit.',
  ].join('\n'),
  options: {
    model: { type: 'string', value: 'FILE', help: 'The model; may stand alone, without --model.' },
    parameters: { type: 'string', value: 'FILE', help: 'Values of the parameters by name (.safetensors, .npz).' },
    probe: { type: 'string', value: 'FILE', help: 'The probe set (.npz).' },
    random: { type: 'string', value: 'N', help: 'Made-up examples instead of a probe set: for timing only.' },
    ...readingOptions,
    ...lossOptions,
    top: { type: 'string', value: 'K', help: 'How many eigenvalues of the Hessian (default 1).' },
    tolerance: { type: 'string', value: 'T', help: 'Relative error of each (default 1e-3).' },
    executor: { type: 'string', value: 'NAME', help: 'auto, or one that doctor finds (default STAGEWATCH_EXECUTOR, or auto).' },
    memory: {
      type: 'string',
      value: 'MIB',
      help: 'Memory to plan with; no limit holds (default STAGEWATCH_ENGINE_MEMORY_MIB, or 2048).',
    },
    threads: { type: 'string', value: 'N', help: 'On the CPU (default STAGEWATCH_ENGINE_THREADS, or all cores).' },
    seed: { type: 'string', value: 'N', help: 'Of the first vectors and of --random (default 1).' },
    'no-check': { type: 'boolean', help: 'Do not compare derivatives with finite differences first.' },
    json: { type: 'boolean', help: 'Print JSON.' },
  },
  maxPositionals: 1,
  async run(invocation) {
    const { io, flags } = invocation;
    const options = optionsOf(invocation);
    const { measureFile } = await import('#analyzer/measure-file.js');
    let measured: FileMeasurement;
    try {
      measured = await measureFile(options);
    } catch (error) {
      return failed(error, io);
    }
    if (measured.ignored.length > 0) io.err(`Not parameters of the model: ${shortened(measured.ignored)}\n`);
    if (measured.random) io.err('On made-up examples: the numbers say nothing about a training.\n');
    const json = flags['json'] === true;
    if (json)
      io.out(`${JSON.stringify(measured, (_, value: unknown) => (typeof value === 'number' ? toJsonNumber(value) : value))}\n`);
    else io.out(table(rowsOf(measured)));
    return verdict(measured, io);
  },
};

function optionsOf({ flags, positionals, io }: Invocation): FileMeasurementOptions {
  const text = (name: string): string | undefined => flags[name] as string | undefined;
  const number = (name: string, byDefault: number, least: number, whole = true): number => {
    const given = text(name);
    const value = given === undefined ? byDefault : Number(given);
    if (given === '' || !(value >= least) || !Number.isFinite(value) || (whole && !Number.isInteger(value))) {
      throw new UsageError(`--${name} takes ${whole ? 'a whole number' : 'a number'} from ${least} on, not '${given}'`);
    }
    return value;
  };
  const model = text('model') ?? positionals[0];
  if (model === undefined) throw new UsageError('a model is missing: --model FILE');
  if (text('model') !== undefined && positionals.length > 0) throw new UsageError(`unexpected argument '${positionals[0]}'`);
  const [probe, random] = [text('probe'), text('random')];
  if ((probe === undefined) === (random === undefined)) throw new UsageError('give either --probe FILE or --random N');
  const config = serviceConfig({ flags: {}, positionals: [], io });
  const { engine } = config;
  return {
    model,
    parameters: text('parameters'),
    probe: probe ?? number('random', 1, 1),
    loss: lossFrom(flags),
    reading: readingFrom(flags),
    top: number('top', 1, 1),
    tolerance: number('tolerance', 1e-3, 1e-9, false),
    executor: text('executor') ?? engine.executor,
    memoryBytes: number('memory', engine.memoryBytes / 1024 ** 2, 1, false) * 1024 ** 2,
    threads: text('threads') === undefined ? engine.threads : number('threads', 1, 1),
    tfjsDir: engine.tfjsDir,
    seed: number('seed', 1, 0),
    check: flags['no-check'] !== true,
    signal: io.signal,
    progress: everyNowAndThen((doing) => io.err(`${doing}…\n`)),
  };
}

function everyNowAndThen(say: (doing: string) => void): (doing: string) => void {
  let last = performance.now();
  return (doing) => {
    const now = performance.now();
    if (now - last < progressEveryMs) return;
    last = now;
    say(doing);
  };
}

/** A file that cannot be read, or that does not fit, is the caller's fault. */
function failed(error: unknown, io: Io): number {
  if (io.signal.aborted) return exitCodes.interrupted;
  if (error instanceof StagewatchError) {
    const { field, value, expected } = error.detail;
    const parts = [field && ` (${field}`, field && value ? `: ${value})` : field && ')', expected && `; expected ${expected}`];
    io.err(`stagewatch measure: ${error.message}${parts.filter(Boolean).join('')}\n`);
    return error.code === 'INTERNAL' || error.code === 'EXECUTOR_FAILED' ? exitCodes.failed : exitCodes.usage;
  }
  const { code, path, message } = error as NodeJS.ErrnoException;
  if (code !== undefined && path !== undefined && code in constants.errno)
    throw new UsageError(`cannot read ${path}: ${message}`);
  throw error;
}

function rowsOf({ loss, gradientNorm, top, products, productMs, ...rest }: FileMeasurement): string[][] {
  const digits = (value: number): string => value.toPrecision(7);
  return [
    ['loss', digits(loss)],
    ['gradient norm', digits(gradientNorm)],
    ...top.map(({ value, bound }, i) => [
      i === 0 ? 'sharpness' : `eigenvalue ${i + 1}`,
      `${digits(value)}  ± ${bound.toPrecision(2)}`,
    ]),
    ['products', `${products}, ${productMs.toPrecision(3)} ms each`],
    ['parameters', String(rest.parameters)],
    ['examples', String(rest.examples)],
    ['computed by', `${rest.device}, ${rest.seconds.toFixed(1)} s in all`],
    ...(rest.check === undefined ? [] : [['check', rest.check.reason]]),
  ];
}

function verdict({ top, converged, check }: FileMeasurement, io: Io): number {
  if (check !== undefined && !check.ok) {
    io.err(`stagewatch measure: the derivatives of this model must not be believed: ${check.reason}\n`);
    return exitCodes.failed;
  }
  if (top.length === 0) {
    io.err('stagewatch measure: a Hessian-vector product is not finite\n');
    return exitCodes.failed;
  }
  if (!converged) io.err('The eigenvalues are less exact than was asked for; the bounds say how exact.\n');
  return exitCodes.ok;
}

const shortened = (names: readonly string[]): string =>
  names.length > 6 ? `${names.slice(0, 6).join(', ')} and ${names.length - 6} more` : names.join(', ');
