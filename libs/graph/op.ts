/** What an op says about itself. One file in `ops/` defines one op; `ops/registry.ts` lists them. */
import type { Attribute, Attributes, ConstantData, DType, GraphInput, Shape, ValueType } from './graph.js';
import type { ReferenceTensor } from './reference-tensor.js';
import type { TfjsKernel } from './tfjs-ops.js';
import type { WorkBudget } from './work-budget.js';

/** A value while a graph is being built. The index grows with creation, so inputs come before what is made of them. */
export interface Value extends ValueType {
  readonly index: number;
  readonly source: Source;
}

export type Source =
  | { readonly kind: 'input'; readonly input: GraphInput }
  | { readonly kind: 'constant'; readonly data: ConstantData }
  | { readonly kind: 'op'; readonly op: string; readonly inputs: readonly Value[]; readonly attributes: Attributes };

/** What rules write graphs with; `emit.ts` has a function for each op. */
export interface Emit {
  /** What may be computed meanwhile. */
  readonly work: WorkBudget;
  apply(op: string, inputs: readonly Value[], attributes?: Attributes): Value;
  /** Of `float32` unless it is said otherwise. */
  constant(shape: readonly number[], data: ConstantData, dtype?: DType): Value;
  scalar(value: number): Value;
}

/** One use of an op. */
export interface Application {
  readonly inputs: readonly Value[];
  readonly attributes: Attributes;
  readonly output: Value;
}

/**
 * Derivative rules, as graphs of ops. `undefined` stands for a zero that nobody has to compute.
 * Only first derivatives are written; second ones come from applying these rules to the ops that these rules emit.
 */
export interface DifferentiableRule {
  /** Vector-Jacobian product: what each wanted input gets of the output's cotangent. */
  readonly vjp: (e: Emit, use: Application, cotangent: Value, wanted: readonly boolean[]) => readonly (Value | undefined)[];
  /** Jacobian-vector product: the output's tangent from those of the inputs, of which at least one is there. */
  readonly jvp: (e: Emit, use: Application, tangents: readonly (Value | undefined)[]) => Value | undefined;
}

export interface PiecewiseConstantRule {
  /** Why its derivative is zero wherever it exists. */
  readonly piecewiseConstant: string;
}

/** Whole numbers and truth values (0, 1) come and go as numbers. */
export type Kernel = (inputs: readonly ReferenceTensor[], attributes: Attributes, outputShape: readonly number[]) => Float64Array;

/** Collects ONNX nodes while a graph is written. */
export interface OnnxWriter {
  /** Returns the name of the node's result, which is `output` when that is given; of several results the one at `place`. */
  node(
    opType: string,
    inputs: readonly string[],
    attributes?: Readonly<Record<string, OnnxAttribute>>,
    output?: string,
    place?: number,
  ): string;
  float(shape: readonly number[], values: ArrayLike<number>): string;
  int64s(values: readonly number[]): string;
  /** A tensor with these sizes, the free axis being counted when the graph runs. */
  sizes(shape: Shape): string;
}

export type OnnxAttribute =
  | { readonly int: number }
  | { readonly ints: readonly number[] }
  | { readonly float: number }
  | { readonly text: string };

export interface WrittenNode {
  readonly inputs: readonly string[];
  readonly inputTypes: readonly ValueType[];
  readonly attributes: Attributes;
  readonly output: string;
  readonly outputType: ValueType;
}

/** One node of an ONNX file that is being read. Accessors throw when what they are asked for is not there. */
export interface OnnxNode {
  readonly opset: number;
  readonly inputCount: number;
  /** How many results are named, empty names at the end included. */
  readonly outputCount: number;
  has(index: number): boolean;
  input(index: number): Value;
  /** An int64 input whose values are known while importing: sizes, axes. */
  sizes(index: number): Shape;
  /** A float input that is a constant with one element. */
  number(index: number): number;
  int(name: string, byDefault: number): number;
  float(name: string, byDefault: number): number;
  ints(name: string): readonly number[] | undefined;
  floats(name: string): readonly number[] | undefined;
  text(name: string, byDefault: string): string;
  texts(name: string): readonly string[] | undefined;
  /** An error that names the node. */
  unsupported(reason: string, expected?: string): Error;
}

/** The node's value, or its values in order where it has several; `undefined` for one that cannot be had, which is an error only if it is used. */
export type OnnxReader = (e: Emit, node: OnnxNode) => Value | readonly (Value | undefined)[];

export interface OpDefinition {
  readonly name: string;
  /** Order of inputs does not matter. */
  readonly commutative?: boolean;
  /** Looks at one element of each input at a time; inputs are broadcast against each other. */
  readonly elementwise?: boolean;
  readonly shape: (inputs: readonly ValueType[], attributes: Attributes) => Shape;
  /** `float32` where nothing is said. */
  readonly dtype?: (inputs: readonly ValueType[], attributes: Attributes) => DType;
  /** Multiplications and the like that it takes, from fixed shapes; by default a few for each element of its inputs and its output. */
  readonly work?: (inputs: readonly ValueType[], attributes: Attributes, shape: Shape) => number;
  /** A cheaper value that is equal, if there is one. */
  readonly simplify?: (e: Emit, inputs: readonly Value[], attributes: Attributes) => Value | undefined;
  readonly derivative: DifferentiableRule | PiecewiseConstantRule;
  readonly reference: Kernel;
  readonly tfjs: TfjsKernel;
  readonly onnx: {
    readonly write: (writer: OnnxWriter, node: WrittenNode) => void;
    /** ONNX operators that are read as this op, or as this op with a few others. */
    readonly read: Readonly<Record<string, OnnxReader>>;
  };
}

export const isDifferentiable = (rule: OpDefinition['derivative']): rule is DifferentiableRule => 'vjp' in rule;

const attribute = (attributes: Attributes, name: string): Attribute => {
  const value = attributes[name];
  if (value === undefined) throw new Error(`Attribute '${name}' is missing`);
  return value;
};

export function numberAttribute(attributes: Attributes, name: string): number {
  const value = attribute(attributes, name);
  if (typeof value !== 'number') throw new Error(`Attribute '${name}' is not a number`);
  return value;
}

export const flagAttribute = (attributes: Attributes, name: string): boolean => attribute(attributes, name) === true;

export function shapeAttribute(attributes: Attributes, name: string): Shape {
  const value = attribute(attributes, name);
  if (!Array.isArray(value)) throw new Error(`Attribute '${name}' is not a list`);
  return value as Shape;
}

export const axesAttribute = (attributes: Attributes, name: string): readonly number[] =>
  shapeAttribute(attributes, name) as readonly number[];

/** The input at this place; a rule that asks for one that is not there is a bug. */
export function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new Error(`There is no input ${index}`);
  return item;
}
