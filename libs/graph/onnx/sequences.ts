/**
 * Lists of tensors, which exporters write where Python had a tuple (`x.split(d)`, `torch.stack(states)`). Their lengths are
 * fixed, so they are taken apart while importing: part i of a list is a value under a name of its own.
 */
import type { GraphBuilder } from '../builder.js';
import { reshape } from '../emit.js';
import { concat, sliceAlong } from '../emit/shape.js';
import type { Value } from '../op.js';
import { limits } from '../limits.js';
import { isFree, normalizeAxis, showShape } from '../shapes.js';
import { NodeView } from './node-view.js';
import type { ImportedValue } from './node-view.js';
import type { OnnxNodeProto } from './proto.js';

type Values = Map<string, ImportedValue>;

/** No name of a file holds this character. */
const partName = (list: string, i: number): string => `${list}\0${i}`;

export const isAboutSequences = ({ opType }: OnnxNodeProto): boolean => rules.has(opType ?? '');

/** Adds the parts or the tensor that the node makes to the values before it. */
export function readSequenceNode(builder: GraphBuilder, values: Values, node: OnnxNodeProto, opset: number): void {
  const view = new NodeView(
    builder,
    node,
    node.input.map((name) => values.get(name)),
    opset,
  );
  const made = rules.get(node.opType ?? '')?.({ builder, values, node, view });
  const [output = ''] = node.output;
  if (made === undefined) throw view.unsupported('a list of tensors');
  if (!Array.isArray(made)) values.set(output, { kind: 'tensor', value: made as Value });
  else for (const [i, value] of (made as readonly Value[]).entries()) values.set(partName(output, i), { kind: 'tensor', value });
}

interface Use {
  readonly builder: GraphBuilder;
  readonly values: Values;
  readonly node: OnnxNodeProto;
  readonly view: NodeView;
}

/** A tensor, or the parts of a list. */
type Rule = (use: Use) => Value | readonly Value[];

/** A part of a list is looked up by its name each time that the list is used. */
const STEPS_PER_PART = 200;

function partsOf({ builder, values, node, view }: Use): Value[] {
  const parts: Value[] = [];
  for (;;) {
    const part = values.get(partName(node.input[0] ?? '', parts.length));
    if (part === undefined) break;
    builder.work.spend({ steps: STEPS_PER_PART, elements: 0 });
    parts.push(new NodeView(builder, node, [part], view.opset).input(0));
  }
  if (parts.length > 0) return parts;
  throw view.unsupported('a list whose length is not known', 'a list that was split or put together in the graph');
}

const splitToSequence: Rule = ({ builder, view }) => {
  const x = view.input(0);
  const axis = normalizeAxis(view.int('axis', 0), x.shape.length);
  const size = x.shape[axis];
  if (size === undefined || isFree(size))
    throw view.unsupported(`splitting ${showShape(x.shape)} along axis ${axis}`, 'a fixed axis');
  const given = view.has(1) ? (view.sizes(1) as readonly number[]) : [1];
  const isOneSize = !view.has(1) || view.known(1)?.shape.length === 0;
  const step = given[0] ?? 1;
  if (isOneSize) checkParts(view, size / step);
  const sizes = isOneSize ? Array.from({ length: Math.ceil(size / step) }, (_, i) => Math.min(step, size - i * step)) : given;
  let start = 0;
  const parts = sizes.map((length) => sliceAlong(builder, x, axis, (start += length) - length, length));
  const without = x.shape.filter((_, i) => i !== axis);
  return view.has(1) || view.int('keepdims', 1) === 1 ? parts : parts.map((part) => reshape(builder, part, without));
};

/** Before the list is made. */
function checkParts(view: NodeView, parts: number): void {
  if (!(parts >= 0 && parts <= limits.nodes)) throw view.unsupported(`a list of ${parts} parts`, `at most ${limits.nodes}`);
}

const sequenceAt: Rule = (use) => {
  const parts = partsOf(use);
  const [index] = use.view.sizes(1);
  const part = parts.at(Number(index));
  if (part === undefined) throw use.view.unsupported(`part ${index} of ${parts.length}`);
  return part;
};

const concatFromSequence: Rule = (use) => {
  const { builder, view } = use;
  const parts = partsOf(use);
  const stacks = view.int('new_axis', 0) === 1;
  const axis = normalizeAxis(view.int('axis', 0), (parts[0]?.shape.length ?? 0) + (stacks ? 1 : 0));
  const apart = (x: Value): Value => reshape(builder, x, x.shape.toSpliced(axis, 0, 1));
  return concat(builder, stacks ? parts.map(apart) : parts, axis);
};

const rules: ReadonlyMap<string, Rule> = new Map([
  ['ConcatFromSequence', concatFromSequence],
  ['SequenceAt', sequenceAt],
  ['SequenceConstruct', ({ node, view }) => node.input.map((_, i) => view.input(i))],
  ['SplitToSequence', splitToSequence],
]);
