import { add, expand, matmul, mul, reshape, softmax, tanh, transpose } from '../../emit.js';
import { where } from '../../emit/elementwise.js';
import { concat } from '../../emit/shape.js';
import { at } from '../../op.js';
import type { Emit, OnnxNode, OnnxReader, Value } from '../../op.js';
import { isFree, showShape } from '../../shapes.js';
import { guardedSoftmax } from './guarded-softmax.js';

/** [batch, time, heads × d] → [batch, heads, time, d]; with four axes it is so already. */
function byHeads(e: Emit, node: OnnxNode, x: Value, heads: number): Value {
  if (x.shape.length === 4) return x;
  const [examples, time, width] = x.shape;
  if (x.shape.length !== 3 || examples === undefined || time === undefined || !Number.isInteger(Number(width) / heads)) {
    throw node.unsupported(
      `an input of shape ${showShape(x.shape)} for ${heads} heads`,
      '[batch, heads, time, width] or [batch, time, heads × width]',
    );
  }
  return transpose(e, reshape(e, x, [examples, time, heads, Number(width) / heads]), [0, 2, 1, 3]);
}

/** Several heads of queries may share one of keys and values. */
function shared(e: Emit, x: Value, heads: number): Value {
  const [examples, own, time, width] = x.shape;
  if (own === heads || examples === undefined || time === undefined || width === undefined) return x;
  const times = heads / Number(own);
  return reshape(
    e,
    expand(e, reshape(e, x, [examples, Number(own), 1, time, width]), [examples, Number(own), times, time, width]),
    [examples, heads, time, width],
  );
}

/** −∞ above the diagonal; queries stand at the end of the keys where there is a past. */
function causalMask(e: Emit, node: OnnxNode, scores: Value, past: number): Value {
  const [queries, keys] = [at(scores.shape, 2), at(scores.shape, 3)];
  if (isFree(queries) || isFree(keys)) throw node.unsupported('a causal mask over a free axis', 'a fixed number of tokens');
  const data = Float32Array.from({ length: queries * keys }, (_, i) => (i % keys > Math.floor(i / keys) + past ? -Infinity : 0));
  return e.constant([queries, keys], data);
}

/** What is true may be seen. */
function maskOf(e: Emit, mask: Value): Value {
  return mask.dtype === 'bool' ? where(e, mask, e.scalar(0), e.scalar(-Infinity)) : mask;
}

/** A query that may see no key at all: unless the mask is known, it may come. */
function hasBlindRows(mask: Value): boolean {
  if (mask.source.kind !== 'constant') return true;
  const width = Number(mask.shape.at(-1) ?? 1);
  const hidden = Array.from(mask.source.data, (x) => (mask.dtype === 'bool' ? x === 0 : x === -Infinity));
  return hidden.some((_, i) => i % width === 0 && hidden.slice(i, i + width).every(Boolean));
}

/** softmax(scale · Q Kᵀ + mask) V, of opset 23 on. Inputs: Q, K, V, mask, past keys, past values. */
export const attention: OnnxReader = (e, node) => {
  const heads = node.int('q_num_heads', Number(node.input(0).shape[1]));
  const pairs = node.int('kv_num_heads', Number(node.input(1).shape[1]));
  const flat = node.input(0).shape.length === 3;
  const q = byHeads(e, node, node.input(0), heads);
  const withPast = (x: Value, index: number): Value => (node.has(index) ? concat(e, [node.input(index), x], 2) : x);
  const keys = withPast(byHeads(e, node, node.input(1), pairs), 4);
  const values = withPast(byHeads(e, node, node.input(2), pairs), 5);
  if (node.has(6)) throw node.unsupported('keys and values with a length of their own for each example', 'a mask');
  const scale = node.float('scale', 1 / Math.sqrt(Number(q.shape[3])));
  // The root on both sides: scores that are too large never come to be.
  const root = e.scalar(Math.sqrt(scale));
  const scores = matmul(e, mul(e, q, root), mul(e, shared(e, keys, heads), root), { transB: true });
  const cap = node.float('softcap', 0);
  const capped = cap > 0 ? mul(e, tanh(e, mul(e, scores, e.scalar(1 / cap))), e.scalar(cap)) : scores;
  const masked = node.has(3) ? add(e, capped, maskOf(e, node.input(3))) : capped;
  const past = node.has(4) ? Number(node.input(4).shape[2]) : 0;
  const seen = node.int('is_causal', 0) === 1 ? add(e, masked, causalMask(e, node, masked, past)) : masked;
  const weights = node.has(3) && hasBlindRows(node.input(3)) ? guardedSoftmax(e, seen, 3) : softmax(e, seen, 3);
  const mixed = matmul(e, weights, shared(e, values, heads));
  const [examples, , time, width] = mixed.shape;
  const joined = flat
    ? reshape(e, transpose(e, mixed, [0, 2, 1, 3]), [at(mixed.shape, 0), time ?? 0, heads * Number(width)])
    : mixed;
  const modes = [scores, masked, capped, weights];
  return [joined, keys, values, examples === undefined ? undefined : modes[node.int('qk_matmul_output_mode', 0)]];
};
