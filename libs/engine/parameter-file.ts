import { StagewatchError } from '#runtime/errors.js';
import { readNpz } from './npz.js';
import type { ParameterLayout } from './parameter-layout.js';
import { readSafetensors } from './safetensors.js';

/** A tensor of a file of parameters. */
export interface NamedTensor {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number | bigint>;
}

export interface ReadParameters {
  /** All parameters of the model as one vector. */
  readonly theta: Float32Array;
  /** Names of tensors that the model does not train: buffers, usually. */
  readonly ignored: readonly string[];
}

/** The tensors of an `.npz` or a `.safetensors` file; which it is, its first bytes say. */
export function readTensors(bytes: Uint8Array): ReadonlyMap<string, NamedTensor> {
  const isZip = bytes[0] === 0x50 && bytes[1] === 0x4b;
  return isZip ? readNpz(bytes) : readSafetensors(bytes);
}

/** Finds every parameter by its name. Throws a StagewatchError where one is missing or has another shape. */
export function parametersFrom(tensors: ReadonlyMap<string, NamedTensor>, parameters: ParameterLayout): ReadParameters {
  const theta = new Float32Array(parameters.reduce((sum, { size }) => sum + size, 0));
  for (const { name, shape, offset, size } of parameters) {
    const tensor = tensors.get(name);
    const expected = `[${shape.join(', ')}]`;
    if (tensor === undefined) {
      throw new StagewatchError('SHAPE_MISMATCH', `The parameter '${name}' is missing`, {
        field: 'parameters',
        value: [...tensors.keys()].slice(0, 8).join(', '),
        expected: `${name} ${expected}`,
      });
    }
    if (tensor.shape.join() !== shape.join()) {
      const value = `[${tensor.shape.join(', ')}]`;
      throw new StagewatchError('SHAPE_MISMATCH', `'${name}' has another shape than the model's`, {
        field: name,
        value,
        expected,
      });
    }
    for (let i = 0; i < size; i++) theta[offset + i] = Number(tensor.data[i]);
  }
  const known = new Set(parameters.map(({ name }) => name));
  return { theta, ignored: [...tensors.keys()].filter((name) => !known.has(name)) };
}
