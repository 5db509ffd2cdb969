import type { TensorLayout } from './generated/messages.js';

/** Bytes of one element, for the types that travel: little endian, row-major. */
export const itemBytes = { float32: 4, float64: 8 } as const;
export type Dtype = keyof typeof itemBytes;

export function isDtype(name: string): name is Dtype {
  return Object.hasOwn(itemBytes, name);
}

export type Tensor = Float32Array | Float64Array;

/** What is wrong with a layout; the collector turns it into an error with a code. */
export interface LayoutFault {
  readonly kind: 'dtype' | 'shape' | 'range' | 'name';
  /** Index into the list, and the field of that tensor. */
  readonly index: number;
  readonly field: 'name' | 'dtype' | 'shape' | 'bytes' | 'offset';
  readonly value: string;
  readonly expected: string;
}

/** Number of elements; NaN when it is not a number that memory could hold. */
export function elements(shape: readonly number[]): number {
  let product = 1;
  for (const size of shape) product *= size;
  return Number.isSafeInteger(product) ? product : Number.NaN;
}

/** Holds each tensor's bytes against its shape and type, and its place against the blob. */
export function checkLayout(tensors: readonly TensorLayout[], blobBytes: number): LayoutFault | undefined {
  const names = new Set<string>();
  for (const [index, { name, dtype, shape, offset, bytes }] of tensors.entries()) {
    const fault = (kind: LayoutFault['kind'], field: LayoutFault['field'], value: string, expected: string): LayoutFault => ({
      kind,
      index,
      field,
      value,
      expected,
    });
    if (name === '' || names.has(name)) return fault('name', 'name', name, 'a name that no other tensor of the snapshot has');
    names.add(name);
    if (!isDtype(dtype)) return fault('dtype', 'dtype', dtype, Object.keys(itemBytes).join(' or '));
    const needed = elements(shape) * itemBytes[dtype];
    if (needed !== bytes) {
      return fault('shape', 'bytes', String(bytes), `${needed} bytes for ${dtype} of shape [${shape.join(', ')}]`);
    }
    if (offset + bytes > blobBytes) {
      return fault('range', 'offset', String(offset), `offset + bytes within the blob's ${blobBytes} bytes`);
    }
  }
  return undefined;
}

/** One tensor out of a blob, without copying where its place allows. */
export function readTensor(blob: Uint8Array, layout: Pick<TensorLayout, 'dtype' | 'offset' | 'bytes'>): Tensor {
  if (!isDtype(layout.dtype)) throw new TypeError(`unknown dtype '${layout.dtype}'`);
  const size = itemBytes[layout.dtype];
  let start = blob.byteOffset + layout.offset;
  let { buffer } = blob;
  if (start % size !== 0) {
    buffer = new Uint8Array(blob.subarray(layout.offset, layout.offset + layout.bytes)).buffer;
    start = 0;
  }
  return layout.dtype === 'float32'
    ? new Float32Array(buffer, start, layout.bytes / size)
    : new Float64Array(buffer, start, layout.bytes / size);
}

/** All tensors of a snapshot as one flat float32 vector, in the order of the layout. */
export function flatten(blob: Uint8Array, tensors: readonly TensorLayout[]): Float32Array {
  let total = 0;
  for (const { shape } of tensors) total += elements(shape);
  const flat = new Float32Array(total);
  let at = 0;
  for (const layout of tensors) {
    const tensor = readTensor(blob, layout);
    flat.set(tensor, at);
    at += tensor.length;
  }
  return flat;
}

export interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Tensor;
}

/** Copies tensors into one blob, with the layout that says where each is. */
export function packTensors(tensors: readonly NamedTensor[]): { blob: Buffer; layout: TensorLayout[] } {
  const layout: TensorLayout[] = [];
  let at = 0;
  for (const { name, shape, data } of tensors) {
    const dtype: Dtype = data instanceof Float64Array ? 'float64' : 'float32';
    if (elements(shape) !== data.length) {
      throw new RangeError(
        `tensor '${name}' has ${data.length} elements, and its shape [${shape.join(', ')}] ${elements(shape)}`,
      );
    }
    layout.push({ name, dtype, shape: [...shape], offset: at, bytes: data.byteLength });
    at += data.byteLength;
  }
  const blob = Buffer.allocUnsafe(at);
  for (const [i, { data }] of tensors.entries()) {
    blob.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), layout[i]!.offset);
  }
  return { blob, layout };
}
