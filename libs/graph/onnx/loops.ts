/** A loop whose number of turns is known while importing is its turns, one after the other, as Keras writes recurrent layers. */
import type { GraphBuilder } from '../builder.js';
import { reshape } from '../emit.js';
import { concat, sliceAlong } from '../emit/shape.js';
import type { Value } from '../op.js';
import { isFree, normalizeAxis, showShape } from '../shapes.js';
import { readSubgraph } from './branches.js';
import type { BranchReader, SubgraphUse } from './branches.js';
import { knownScalar } from './known/known.js';
import { NodeView } from './node-view.js';
import type { ImportedValue } from './node-view.js';
import type { OnnxGraph, OnnxNodeProto } from './proto.js';

/** One turn of a loop: what its body gives. */
function turnOf(use: SubgraphUse, body: OnnxGraph, bound: readonly ImportedValue[]): ImportedValue[] {
  return given(readSubgraph(use, body, bound), use);
}

interface Loop {
  readonly use: SubgraphUse;
  readonly body: OnnxGraph;
  /** As the node has them; absent ones are undefined. */
  readonly inputs: readonly (ImportedValue | undefined)[];
}

/** Reads a Loop or a Scan: its results in order. */
export function readLoop(
  builder: GraphBuilder,
  values: Map<string, ImportedValue>,
  node: OnnxNodeProto,
  opset: number,
  reader: BranchReader,
): void {
  const inputs = node.input.map((name) => values.get(name));
  const view = new NodeView(builder, node, inputs, opset);
  const body = node.attribute.find(({ name }) => name === 'body')?.g;
  if (body === undefined) throw view.unsupported('a loop without a body');
  const loop: Loop = { use: { builder, values, view, opset, reader }, body, inputs };
  const results = node.opType === 'Loop' ? repeated(loop) : scanned(loop);
  for (const [i, name] of node.output.entries()) {
    const result = results[i];
    if (name !== '' && result !== undefined) values.set(name, result);
  }
}

const given = (values: readonly (ImportedValue | undefined)[], { view }: SubgraphUse): ImportedValue[] =>
  values.map((value) => {
    if (value === undefined) throw view.unsupported('a value of the loop is missing');
    return value;
  });

/** Inputs: number of turns, condition, values; the body takes the turn, the condition, the values, and gives the last two. */
function repeated({ use, body, inputs }: Loop): ImportedValue[] {
  const { view } = use;
  const [turns, condition] = [0, 1].map((i) => {
    if (!view.has(i)) return undefined;
    const number = view.known(i)?.data[0];
    if (typeof number === 'number') return number;
    throw view.unsupported('a loop whose number of turns depends on data', 'a length that is fixed when the model is exported');
  });
  let carried = given(inputs.slice(2), use);
  const collected: ImportedValue[][] = [];
  let goesOn = condition !== 0;
  for (let turn = 0; goesOn && turn < (turns ?? Infinity); turn++) {
    const bound = [knownScalar('int64', turn), knownScalar('bool', 1), ...carried];
    const [next, ...results] = turnOf(use, body, bound);
    goesOn = isTrue(use, next);
    carried = results.slice(0, carried.length);
    collected.push(results.slice(carried.length));
  }
  const count = body.output.length - 1 - carried.length;
  return [...carried, ...Array.from({ length: count }, (_, k) => stacked(use, collected, k, 0))];
}

function isTrue({ builder, view }: SubgraphUse, value: ImportedValue | undefined): boolean {
  const number = value && new NodeView(builder, { input: [], output: [], attribute: [] }, [value], view.opset).known(0)?.data[0];
  if (number === undefined) throw view.unsupported('a loop that ends when data say so', 'a fixed number of turns');
  return number !== 0;
}

/** Inputs: values, then tensors that are gone through along an axis; the body gives the values and what is collected. */
function scanned({ use, body, inputs }: Loop): ImportedValue[] {
  const { builder, view } = use;
  const count = view.int('num_scan_inputs', 0);
  const backwards = view.ints('scan_input_directions') ?? [];
  const first = inputs.length - count;
  const sequences = given(inputs.slice(first), use).map((_, i) => view.input(first + i));
  const axes = sequences.map((x, i) => normalizeAxis(view.ints('scan_input_axes')?.[i] ?? 0, x.shape.length));
  const turns = sequences[0]?.shape[axes[0] ?? 0];
  if (turns === undefined || isFree(turns) || view.opset < 9) {
    const shape = showShape(sequences[0]?.shape ?? []);
    throw view.unsupported(`a loop over ${shape} (opset ${view.opset})`, 'a fixed length, opset 9 or newer');
  }
  let carried = given(inputs.slice(0, first), use);
  const collected: ImportedValue[][] = [];
  for (let turn = 0; turn < turns; turn++) {
    const steps = sequences.map((x, i): ImportedValue => {
      const axis = axes[i] ?? 0;
      const place = backwards[i] === 1 ? turns - 1 - turn : turn;
      return { kind: 'tensor', value: reshape(builder, sliceAlong(builder, x, axis, place, 1), x.shape.toSpliced(axis, 1)) };
    });
    const results = turnOf(use, body, [...carried, ...steps]);
    carried = results.slice(0, first);
    collected.push(results.slice(first));
  }
  const scans = Array.from({ length: body.output.length - first }, (_, k) => {
    const turned = view.ints('scan_output_directions')?.[k] === 1 ? collected.toReversed() : collected;
    return stacked(use, turned, k, view.ints('scan_output_axes')?.[k] ?? 0);
  });
  return [...carried, ...scans];
}

/** The k-th of what each turn gave, along a new axis. */
function stacked(
  { builder, view }: SubgraphUse,
  turns: readonly (readonly ImportedValue[])[],
  k: number,
  axis: number,
): ImportedValue {
  const parts = turns.map((results): Value => {
    const result = results[k];
    return new NodeView(builder, { input: [], output: [], attribute: [] }, [result], view.opset).input(0);
  });
  const [part] = parts;
  if (part === undefined) throw view.unsupported('a loop without a turn');
  const place = normalizeAxis(axis, part.shape.length + 1);
  const apart = parts.map((x) => reshape(builder, x, x.shape.toSpliced(place, 0, 1)));
  return { kind: 'tensor', value: concat(builder, apart, place) };
}
