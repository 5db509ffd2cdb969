/** The weights of a tfjs GraphModel, as tensors of an ONNX file: the rest of the import reads those. */
import { UnsupportedModel } from '../errors.js';
import { limits } from '../limits.js';
import { fromFloat16 } from '../onnx/half.js';
import { elementType } from '../onnx/proto.js';
import type { OnnxTensor } from '../onnx/proto.js';
import { fixedSize } from '../shapes.js';
import type { WeightEntry, WeightGroup } from './graph-def.js';

/** The bytes of a file beside model.json, by a plain relative path; undefined where there is none. */
export type FilesBeside = (path: string) => Uint8Array | undefined;

export interface GraphWeight {
  readonly entry: WeightEntry;
  /** Undefined where the weights are not with the model. */
  readonly tensor: OnnxTensor | undefined;
}

const types: Readonly<Record<string, { readonly type: number; readonly bytes: number } | undefined>> = {
  float32: { type: elementType.float, bytes: 4 },
  int32: { type: elementType.int32, bytes: 4 },
  bool: { type: elementType.bool, bytes: 1 },
};
const stored = { uint8: 1, uint16: 2, float16: 2 } as const;

const fault = (name: string, problem: string, expected: string): UnsupportedModel =>
  new UnsupportedModel(`The weight '${name}' ${problem}`, { field: `weightsManifest ${name}`, expected });

/** By the names of their nodes. Weights of a group of which a file is missing have no values. */
export function graphWeights(groups: readonly WeightGroup[], beside: FilesBeside | undefined): Map<string, GraphWeight> {
  const weights = new Map<string, GraphWeight>();
  for (const { paths, weights: entries } of groups) {
    const bytes = joined(paths.map((path) => partAt(path, beside)));
    let offset = 0;
    for (const entry of entries) {
      const length = sizeOf(entry);
      if (bytes !== undefined && offset + length > bytes.length)
        throw fault(entry.name, 'is not all in the files of weights', 'all its bytes');
      const tensor = bytes && tensorOf(entry, bytes.slice(offset, offset + length));
      weights.set(entry.name, { entry, tensor });
      offset += length;
    }
  }
  return weights;
}

function typeOf({ name, dtype }: WeightEntry): { readonly type: number; readonly bytes: number } {
  const known = types[dtype];
  if (known === undefined) throw fault(name, `is of ${dtype}`, `one of ${Object.keys(types).join(', ')}`);
  return known;
}

function sizeOf(entry: WeightEntry): number {
  const elements = fixedSize(entry.shape);
  if (elements > limits.valueElements) throw fault(entry.name, 'is too large', `at most ${limits.valueElements} elements`);
  return elements * (entry.quantization === undefined ? typeOf(entry).bytes : stored[entry.quantization.dtype]);
}

function tensorOf(entry: WeightEntry, bytes: Uint8Array): OnnxTensor {
  const empty = { name: entry.name, dims: entry.shape, floatData: [], int32Data: [], int64Data: [], doubleData: [] };
  const { type } = typeOf(entry);
  return { ...empty, dataType: type, rawData: entry.quantization === undefined ? bytes : dequantized(entry, bytes) };
}

/** Codes of one or two bytes stand for `code · scale + min`. */
function dequantized(entry: WeightEntry, bytes: Uint8Array): Uint8Array {
  const { dtype, scale = 1, min = 0 } = entry.quantization ?? { dtype: 'uint8' };
  const codes = dtype === 'uint8' ? bytes : new Uint16Array(bytes.buffer, 0, bytes.length / 2);
  const number = dtype === 'float16' ? fromFloat16 : (code: number): number => code * scale + min;
  if (entry.dtype === 'int32') return bytesOf(Int32Array.from(codes, (code) => Math.round(number(code))));
  if (entry.dtype !== 'float32') throw fault(entry.name, `is of ${entry.dtype} and quantised`, 'float32 or int32');
  return bytesOf(Float32Array.from(codes, number));
}

const bytesOf = ({ buffer }: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>): Uint8Array => new Uint8Array(buffer);

function joined(parts: readonly (Uint8Array | undefined)[]): Uint8Array | undefined {
  const there = parts.filter((part) => part !== undefined);
  if (there.length < parts.length) return undefined;
  const all = new Uint8Array(there.reduce((size, part) => size + part.length, 0));
  let offset = 0;
  for (const part of there) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

const INSIDE = /^data:[^,]*;base64,/;

/** Where a model must be one file, its weights can be inside as data addresses. */
function partAt(path: string, beside: FilesBeside | undefined): Uint8Array | undefined {
  const prefix = INSIDE.exec(path)?.[0];
  if (prefix !== undefined) return decoded(path.slice(prefix.length));
  const plain = !/[\\:\0]/.test(path) && !path.startsWith('/') && !path.split('/').includes('..');
  return plain ? beside?.(path) : undefined;
}

function decoded(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch (cause) {
    const detail = { field: 'weightsManifest', expected: 'base64' };
    throw new UnsupportedModel('The weights inside the tfjs model are not base64', detail, cause);
  }
}
