import { StagewatchError } from '#runtime/errors.js';

/** One tensor of a snapshot's blob, as its record describes it. */
export interface SnapshotTensor {
  readonly name: string;
  /** `float32` or `float64`, little endian, row-major. */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly bytes: number;
}

interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly size: number;
}

/**
 * All parameters as one flat vector in the order of `parameters` (a ProbeModel's), found in the blob by name. Tensors that
 * the model does not have are an error: a snapshot of another network must not be measured.
 */
export function readSnapshot(
  blob: Uint8Array,
  tensors: readonly SnapshotTensor[],
  parameters: readonly Parameter[],
): Float32Array {
  const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
  const known = new Map(parameters.map((parameter) => [parameter.name, parameter]));
  const theta = new Float32Array(parameters.reduce((sum, { size }) => sum + size, 0));
  const seen = new Set<string>();
  for (const [i, tensor] of tensors.entries()) {
    const field = `snapshot.tensors[${i}]`;
    const parameter = known.get(tensor.name);
    if (parameter === undefined) {
      throw mismatch(
        `${field}.name`,
        `The model has no parameter '${tensor.name}'`,
        tensor.name,
        [...known.keys()].slice(0, 8).join(', '),
      );
    }
    if (seen.has(tensor.name))
      throw mismatch(`${field}.name`, `'${tensor.name}' is there twice`, tensor.name, 'each tensor once');
    seen.add(tensor.name);
    checkShape(tensor, parameter, field);
    copyTensor(view, tensor, theta.subarray(parameter.offset, parameter.offset + parameter.size), field);
  }
  const missing = parameters.find(({ name }) => !seen.has(name));
  if (missing !== undefined)
    throw mismatch('snapshot.tensors', `'${missing.name}' is missing`, 'absent', `[${missing.shape.join(', ')}]`);
  return theta;
}

function mismatch(field: string, message: string, value: string, expected: string): StagewatchError {
  return new StagewatchError('SHAPE_MISMATCH', message, { field, value, expected });
}

function checkShape(tensor: SnapshotTensor, parameter: Parameter, field: string): void {
  const fits = tensor.shape.length === parameter.shape.length && tensor.shape.every((dim, axis) => dim === parameter.shape[axis]);
  if (fits) return;
  const [value, expected] = [tensor.shape, parameter.shape].map((shape) => `[${shape.join(', ')}]`) as [string, string];
  throw mismatch(`${field}.shape`, `'${tensor.name}' has another shape than the model's`, value, expected);
}

function copyTensor(view: DataView, tensor: SnapshotTensor, out: Float32Array, field: string): void {
  const width = tensor.dtype === 'float32' ? 4 : tensor.dtype === 'float64' ? 8 : 0;
  if (width === 0) {
    throw new StagewatchError('UNKNOWN_DTYPE', `'${tensor.name}' has an unknown dtype`, {
      field: `${field}.dtype`,
      value: tensor.dtype.slice(0, 40),
      expected: 'float32 or float64',
    });
  }
  const { offset, bytes } = tensor;
  if (bytes !== out.length * width)
    throw mismatch(`${field}.bytes`, `'${tensor.name}' does not fill its shape`, String(bytes), String(out.length * width));
  if (offset < 0 || offset + bytes > view.byteLength) {
    throw mismatch(
      `${field}.offset`,
      `'${tensor.name}' lies outside the blob`,
      String(offset),
      `0 to ${view.byteLength - bytes}`,
    );
  }
  const start = view.byteOffset + offset;
  // Copied out first: an array may only look at memory that is aligned to its elements.
  const aligned = view.buffer.slice(start, start + bytes);
  out.set(width === 4 ? new Float32Array(aligned) : new Float64Array(aligned));
}
