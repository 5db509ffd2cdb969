// The weights of a tfjs model: `weightsManifest` in model.json lists groups of files whose bytes, put together, are the tensors.
import { StagewatchError } from '#runtime/errors.js';
import type { NamedTensor } from './parameter-file.js';

interface Group {
  readonly paths: readonly string[];
  readonly weights: readonly { readonly name: string; readonly shape: readonly number[]; readonly dtype: string }[];
}

const fault = (message: string, field: string, expected: string): StagewatchError =>
  new StagewatchError('UNSUPPORTED_MODEL', message, { field, expected });

/** Undefined for a file without a manifest, which has the topology only. */
export function readTfjsWeights(
  json: string,
  beside: (path: string) => Uint8Array | undefined,
): ReadonlyMap<string, NamedTensor> | undefined {
  const { weightsManifest } = JSON.parse(json) as { readonly weightsManifest?: unknown };
  if (weightsManifest === undefined) return undefined;
  if (!isManifest(weightsManifest)) throw fault('The weights manifest is not understood', 'weightsManifest', 'as tfjs saves it');
  const tensors = new Map<string, NamedTensor>();
  for (const { paths, weights } of weightsManifest) {
    const bytes = Buffer.concat(paths.map((path) => partAt(path, beside)));
    let offset = 0;
    for (const { name, shape, dtype } of weights) {
      // Whole numbers, texts and quantised weights are no trained tensors of a model in training.
      if (dtype !== 'float32') throw fault(`The weight '${name}' is of ${dtype}`, `weightsManifest ${name}`, 'float32');
      const length = 4 * shape.reduce((product, dim) => product * dim, 1);
      if (offset + length > bytes.length)
        throw fault(`The weights end inside '${name}'`, `weightsManifest ${name}`, 'all its bytes');
      const part = new Uint8Array(bytes.subarray(offset, offset + length));
      tensors.set(name, { shape, data: new Float32Array(part.buffer) });
      offset += length;
    }
  }
  return tensors;
}

function partAt(path: string, beside: (path: string) => Uint8Array | undefined): Uint8Array {
  const plain = !/[\\:\0]/.test(path) && !path.startsWith('/') && !path.split('/').includes('..');
  const bytes = plain ? beside(path) : undefined;
  if (bytes === undefined)
    throw fault(`The weights lie in '${path}', which is not there`, 'weightsManifest', 'a file beside model.json');
  return bytes;
}

function isManifest(value: unknown): value is readonly Group[] {
  const isText = (each: unknown): boolean => typeof each === 'string';
  return (
    Array.isArray(value) &&
    value.every((group: unknown) => {
      const { paths, weights } = (group ?? {}) as Partial<Record<string, unknown>>;
      return (
        Array.isArray(paths) &&
        paths.every(isText) &&
        Array.isArray(weights) &&
        weights.every((weight: unknown) => {
          const { name, shape, dtype } = (weight ?? {}) as Partial<Record<string, unknown>>;
          const sizes = Array.isArray(shape) && shape.every((dim) => Number.isSafeInteger(dim) && (dim as number) >= 0);
          return isText(name) && isText(dtype) && sizes;
        })
      );
    })
  );
}
