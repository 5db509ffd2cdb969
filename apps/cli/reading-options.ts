import type { FileMeasurementOptions } from '#analyzer/measure-file.js';
import { UsageError, type OptionSpec } from './command.js';

/** Flags for what an ONNX file leaves open. */
export const readingOptions = {
  output: { type: 'string', value: 'NAME', help: 'The output that the loss is of (default logits, or the first).' },
  given: { type: 'string', value: 'NAME=X,…', help: 'Inputs that are this number everywhere: attention_mask=1.' },
  sizes: { type: 'string', value: 'AXIS=N,…', help: 'Sizes of axes that the file leaves open: sequence=64.' },
} as const satisfies Record<string, OptionSpec>;

type Reading = NonNullable<FileMeasurementOptions['reading']>;

export function readingFrom(flags: Readonly<Record<string, string | boolean | undefined>>): Reading {
  const output = flags['output'] as string | undefined;
  const given = numbersByName('given', flags['given'], Number.isFinite);
  const sizes = numbersByName('sizes', flags['sizes'], (size) => Number.isSafeInteger(size) && size > 0);
  return { ...(output !== undefined && { output }), ...(given && { given }), ...(sizes && { sizes }) };
}

/** `a=1,b=0.5` */
function numbersByName(
  flag: 'given' | 'sizes',
  text: string | boolean | undefined,
  fits: (value: number) => boolean,
): Record<string, number> | undefined {
  if (typeof text !== 'string') return undefined;
  const pairs = text.split(',').map((pair) => {
    const at = pair.lastIndexOf('=');
    const [name, number] = [pair.slice(0, Math.max(at, 0)).trim(), pair.slice(at + 1).trim()];
    if (name !== '' && number !== '' && fits(Number(number))) return [name, Number(number)] as const;
    throw new UsageError(`--${flag} takes ${readingOptions[flag].value.replace(',…', '')}, several with commas, not '${pair}'`);
  });
  return Object.fromEntries(pairs);
}
