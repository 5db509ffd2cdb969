import type { FileMeasurementOptions } from '#analyzer/measure-file.js';
import { UsageError, type OptionSpec } from './command.js';

type LossSpec = FileMeasurementOptions['loss'];

const kinds = [
  'cross-entropy',
  'mse',
  'binary-cross-entropy',
  'huber',
  'smooth-l1',
  'output',
] as const satisfies readonly LossSpec['kind'][];

/** Flags that describe a loss. */
export const lossOptions = {
  loss: { type: 'string', value: 'KIND', help: `${kinds.join(', ')} (default cross-entropy).` },
  reduction: { type: 'string', value: 'HOW', help: "Over an example's outputs: mean (default, as PyTorch's losses do) or sum." },
  halved: { type: 'boolean', help: 'Half the squared error.' },
  'label-smoothing': { type: 'string', value: 'S', help: 'Of cross-entropy.' },
  'ignored-class': { type: 'string', value: 'N', help: 'Of cross-entropy: the class that does not count.' },
  delta: { type: 'string', value: 'D', help: 'Of huber and smooth-l1 (default 1).' },
  'loss-output': { type: 'string', value: 'NAME', help: "Of output: the model's output with the loss of each example." },
  'loss-target': { type: 'string', value: 'NAME', help: "Of output: the model's input that takes y." },
  'weight-decay': { type: 'string', value: 'W', help: 'Adds ½ W ‖θ‖² to the loss.' },
} as const satisfies Record<string, OptionSpec>;

export function lossFrom(flags: Readonly<Record<string, string | boolean | undefined>>): LossSpec {
  const text = (name: keyof typeof lossOptions): string | undefined => flags[name] as string | undefined;
  const number = (name: keyof typeof lossOptions): number | undefined => {
    const given = text(name);
    if (given === undefined) return undefined;
    const value = Number(given);
    if (given === '' || !Number.isFinite(value)) throw new UsageError(`--${name} takes a number, not '${given}'`);
    return value;
  };
  const asked = text('loss') ?? (text('loss-output') === undefined ? 'cross-entropy' : 'output');
  const kind = kinds.find((each) => each === asked);
  if (kind === undefined) throw new UsageError(`--loss is one of ${kinds.join(', ')}, not '${asked}'`);
  const reduction = text('reduction') ?? 'mean';
  if (reduction !== 'mean' && reduction !== 'sum') throw new UsageError(`--reduction is mean or sum, not '${reduction}'`);
  if (kind === 'output' && text('loss-output') === undefined) throw new UsageError('--loss output needs --loss-output NAME');
  const [labelSmoothing, ignoredClass, delta, strength] = [
    number('label-smoothing'),
    number('ignored-class'),
    number('delta'),
    number('weight-decay'),
  ];
  const [output, target] = [text('loss-output'), text('loss-target')];
  return {
    kind,
    reduction: reduction === 'mean' ? 'mean-outputs' : 'sum-outputs',
    halved: flags['halved'] === true,
    ...(labelSmoothing === undefined ? {} : { labelSmoothing }),
    ...(ignoredClass === undefined ? {} : { ignoredClass }),
    ...(delta === undefined ? {} : { delta }),
    ...(output === undefined ? {} : { output }),
    ...(target === undefined ? {} : { target }),
    ...(strength === undefined ? {} : { weightDecay: { strength } }),
  };
}
