/** What one node of an ONNX file computes: a tensor of the graph, or what is known while importing. */
import type { GraphBuilder } from '../builder.js';
import { UnknownOp } from '../errors.js';
import { nearest } from '../nearest.js';
import type { OnnxReader } from '../op.js';
import { onnxReaders } from '../ops/registry.js';
import { readBranch } from './branches.js';
import { elementwiseRules } from './known/elementwise.js';
import { evaluated } from './known/evaluate.js';
import { known, knownFrom, knownScalar, wasWorkedOut } from './known/known.js';
import type { KnownTensor } from './known/known.js';
import { constantFrom, finished, makers } from './known/making.js';
import type { Made } from './known/making.js';
import { reductionRules } from './known/reductions.js';
import type { Rule } from './known/rule.js';
import { Undecided } from './known/symbols.js';
import { readLoop } from './loops.js';
import { NodeView, atNode, labelOf, unsupportedAt } from './node-view.js';
import type { ImportedValue } from './node-view.js';
import type { OnnxNodeProto, OnnxTensor } from './proto.js';
import type { WorkBudget } from '../work-budget.js';
import { isAboutSequences, readSequenceNode } from './sequences.js';

export const isStandard = (domain: string | undefined): boolean => domain === undefined || domain === '' || domain === 'ai.onnx';

const imported = (made: Made): ImportedValue => ('kind' in made ? made : { kind: 'tensor', value: made });

export const constantOf = (builder: GraphBuilder, tensor: OnnxTensor): ImportedValue => imported(constantFrom(builder, tensor));

/** Adds the values that a node makes to those before it. What goes wrong names the node, the innermost one. */
export function readNode(builder: GraphBuilder, values: Map<string, ImportedValue>, node: OnnxNodeProto, opset: number): void {
  try {
    if (!isStandard(node.domain)) readOperator(builder, values, node, opset);
    else if (isAboutSequences(node)) readSequenceNode(builder, values, node, opset);
    else if (node.opType === 'If') readBranch(builder, values, node, opset, { readNode, constantOf });
    else if (node.opType === 'Loop' || node.opType === 'Scan') readLoop(builder, values, node, opset, { readNode, constantOf });
    else readOperator(builder, values, node, opset);
  } catch (error) {
    throw atNode(node, error);
  }
}

function readOperator(builder: GraphBuilder, values: Map<string, ImportedValue>, node: OnnxNodeProto, opset: number): void {
  const inputs = node.input.map((name) => {
    if (name === '') return undefined;
    const value = values.get(name);
    if (value === undefined) throw unsupportedAt(node, `its input '${name}' is made by no node before it`);
    return value;
  });
  if (node.output.length === 0) throw unsupportedAt(node, 'it has no output');
  for (const [i, value] of readValues(builder, node, inputs, opset).entries()) {
    const output = node.output[i];
    if (output !== undefined && value !== undefined) values.set(output, value);
  }
}

/** In the order of the node's outputs; those that are missing cannot be had. */
function readValues(
  builder: GraphBuilder,
  node: OnnxNodeProto,
  inputs: readonly (ImportedValue | undefined)[],
  opset: number,
): readonly (ImportedValue | undefined)[] {
  const opType = node.opType ?? '';
  const view = new NodeView(builder, node, inputs, opset);
  const standard = isStandard(node.domain);
  const reader = onnxReaders.get(standard ? opType : `${node.domain}.${opType}`);
  if (standard) {
    if (opType === 'Constant') return [constantNode(builder, node, view)];
    const maker = makers.get(opType);
    if (maker !== undefined) return [imported(maker(builder, view))];
    const knowns = knownInputs(builder.work, inputs);
    const rule = rules[opType];
    if (knowns !== undefined && (rule !== undefined || reader !== undefined)) {
      return workedOut(builder, opType, { node, view, inputs: knowns, opset }, rule, reader);
    }
  }
  if (reader !== undefined) {
    const because = inputs.find((input) => input?.kind === 'tensor' && input.unknownBecause !== undefined);
    return [reader(builder, view)].flat().map((value) => value && { ...because, kind: 'tensor', value });
  }
  const names = [...onnxReaders.keys(), ...makers.keys(), 'Constant'].sort();
  const domain = node.domain || 'ai.onnx';
  throw new UnknownOp({ node: labelOf(node), op: opType, domain, opset, nearest: nearest(opType, names), known: names });
}

const rules: Readonly<Record<string, Rule | undefined>> = { ...elementwiseRules, ...reductionRules };

/**
 * The inputs, if all are known. Floats that came with the file are constants of the graph and stay there, unless they meet
 * what is known.
 */
function knownInputs(
  work: WorkBudget,
  inputs: readonly (ImportedValue | undefined)[],
): readonly (KnownTensor | undefined)[] | undefined {
  const given = inputs.filter((input) => input !== undefined);
  const isAsked = given.some((input) => input.kind === 'known' || input.value.dtype !== 'float32' || wasWorkedOut(input.value));
  if (!isAsked) return undefined;
  const knowns = inputs.map((input) => (input?.kind === 'tensor' ? knownFrom(work, input.value) : input));
  return knowns.every((tensor, i) => (tensor === undefined) === (inputs[i] === undefined)) ? knowns : undefined;
}

interface KnownUse {
  readonly node: OnnxNodeProto;
  readonly view: NodeView;
  readonly inputs: readonly (KnownTensor | undefined)[];
  readonly opset: number;
}

/** What the number of examples decides is left to the graph, if it can do that. */
function workedOut(
  builder: GraphBuilder,
  opType: string,
  use: KnownUse,
  rule: Rule | undefined,
  reader: OnnxReader | undefined,
): readonly (ImportedValue | undefined)[] {
  const { node, view, inputs, opset } = use;
  let reason = `${opType} of the number of examples`;
  try {
    const results =
      rule === undefined
        ? reader && evaluated(builder.work, opType, inputs, (e, given) => reader(e, new NodeView(e, node, given, opset)))
        : [rule(view.whereKnown(inputs))];
    if (results !== undefined) return results.map((result) => result && imported(finished(builder, result)));
  } catch (error) {
    if (!(error instanceof Undecided)) throw error;
    reason = error.message;
  }
  if (reader === undefined) throw view.unsupported(reason, 'sizes in which the batch axis stays as it is');
  const values = [reader(builder, view)].flat();
  return values.map((value) => value && { kind: 'tensor', value, unknownBecause: reason });
}

function constantNode(builder: GraphBuilder, node: OnnxNodeProto, view: NodeView): ImportedValue {
  const [attribute] = node.attribute;
  switch (attribute?.name ?? '') {
    case 'value':
      if (attribute?.t !== undefined) return constantOf(builder, { ...attribute.t, name: labelOf(node) });
      break;
    case 'value_float':
      return { kind: 'tensor', value: builder.scalar(attribute?.f ?? 0) };
    case 'value_floats': {
      const numbers = attribute?.floats ?? [];
      return { kind: 'tensor', value: builder.constant([numbers.length], Float64Array.from(numbers)) };
    }
    case 'value_int':
      return knownScalar('int64', attribute?.i ?? 0);
    case 'value_ints': {
      const numbers = attribute?.ints ?? [];
      return known('int64', [numbers.length], numbers);
    }
    default:
  }
  throw view.unsupported(`a constant given as '${attribute?.name ?? 'nothing'}'`, 'a constant of numbers');
}
