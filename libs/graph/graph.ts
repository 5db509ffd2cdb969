/**
 * A network as data: what every importer makes, what derivatives are taken of, and what executors run.
 *
 * A graph is immutable. Its values are named; a node makes exactly one value (an importer breaks an operator with several
 * results into parts), so a node is known by the value that it makes.
 */

/**
 * `float32` is a number: executors compute it in single precision and the reference interpreter in double. The others are
 * whole numbers (token ids, indices) and truth values (masks); nothing is derived through them.
 */
export type DType = 'float32' | 'int64' | 'bool';

/**
 * One axis may stay free: the number of examples in the chunk that is being worked on. Merged with another axis, as
 * `x.view(-1, d)` does with examples and tokens, it is a multiple of that number.
 */
export type FreeDim = 'batch' | `batch*${number}`;
export type Dim = number | FreeDim;
export type Shape = readonly Dim[];

export interface ValueType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/**
 * - `parameter`: a trained tensor, the θ that derivatives are taken by;
 * - `data`: examples; `target`: what they should give;
 * - `vector`: one parameter's part of a vector that the Hessian is multiplied with (tangent graphs only);
 * - `kept`: a result of the primal graph that a tangent graph needs (tangent graphs only).
 */
export type Role = 'parameter' | 'data' | 'target' | 'vector' | 'kept';

export interface GraphInput extends ValueType {
  readonly name: string;
  readonly role: Role;
  /**
   * How a target is written. `one-hot`: the probe set holds class indices and whoever feeds the graph writes row i as
   * zeros with a 1 at the class of example i. `values`: the probe set's y as it is. `index`: class indices as they are,
   * the ignored one among them.
   */
  readonly encoding?: 'one-hot' | 'values' | 'index';
  /** Of class indices: how many there are. */
  readonly classes?: number;
  /** Of class indices: the one that does not count, which need be no class; its row of a one-hot target is zeros. */
  readonly ignoredClass?: number;
  /** The values that came with the model file, if any. */
  readonly initial?: ConstantData;
}

export type ConstantData = Float32Array | Float64Array;

/** Row-major; a constant has no free axis. Whole numbers and truth values (0, 1) are stored as numbers. */
export interface GraphConstant extends ValueType {
  readonly name: string;
  readonly data: ConstantData;
}

export type Attribute = number | string | boolean | readonly number[] | Shape;
export type Attributes = Readonly<Record<string, Attribute>>;

export interface GraphNode extends ValueType {
  /** A name of the registry, `ops/registry.ts`. */
  readonly op: string;
  readonly inputs: readonly string[];
  /** The value that it makes. */
  readonly output: string;
  readonly attributes: Attributes;
}

export interface GraphOutput extends ValueType {
  readonly name: string;
  /** The input, constant or node output that it shows. */
  readonly value: string;
  /** Of a forward graph, where the importer knows it. */
  readonly meaning?: 'logits' | 'probabilities';
}

export interface Graph {
  /** Parameters first, in the order of a snapshot's tensors. */
  readonly inputs: readonly GraphInput[];
  readonly constants: readonly GraphConstant[];
  /** In an order in which they can be run. */
  readonly nodes: readonly GraphNode[];
  readonly outputs: readonly GraphOutput[];
}

/**
 * What one example's loss is. The loss of a probe set is Σ `losses` / Σ `weights`, where every example weighs 1 unless the
 * training graph has an output `weights`.
 */
export interface LossSpec {
  /**
   * - `cross-entropy` of logits (or of probabilities where the importer knows that they are), per example or per token;
   * - `mse`: squared errors; `binary-cross-entropy`: of logits, each output by itself;
   * - `huber`: ½e² up to `delta`, then delta·(|e| − ½delta); `smooth-l1`: huber / delta, as PyTorch's SmoothL1Loss(beta = delta);
   * - `output`: the model's own output `output` holds the loss of each example.
   */
  readonly kind: 'cross-entropy' | 'mse' | 'binary-cross-entropy' | 'huber' | 'smooth-l1' | 'output';
  /** Of an example's outputs: their sum or their mean. Cross-entropy and `output` do not look at it. */
  readonly reduction: 'sum-outputs' | 'mean-outputs';
  /** Of squared errors: times one half. Others do not look at it. */
  readonly halved: boolean;
  /** Of cross-entropy: class indices (by default), or a probability for each class. */
  readonly targets?: 'classes' | 'probabilities';
  /** Of cross-entropy: this share of a target is spread evenly over all classes. */
  readonly labelSmoothing?: number;
  /** Of cross-entropy: a class index that means "do not count this". */
  readonly ignoredClass?: number;
  /** Of cross-entropy over tokens: where the classes stand. `last` (by default): [batch, tokens, classes]; `second`: [batch, classes, tokens], as PyTorch's loss has it. */
  readonly classAxis?: 'last' | 'second';
  /**
   * Of cross-entropy over tokens. `mean` (by default): all tokens that count weigh the same, whichever example they are in, as in
   * PyTorch's reduction='mean'. `example-mean`: an example's loss is the mean over its tokens. `sum`: their sum.
   */
  readonly tokens?: 'mean' | 'example-mean' | 'sum';
  /** Of `huber` and `smooth-l1`; 1 by default. */
  readonly delta?: number;
  /** Of `output`: which one. */
  readonly output?: string;
  /** Of `output`: the one that holds what each example weighs in the mean; all weigh alike without it. */
  readonly weights?: string;
  /** Of `output`: the model's input that takes the targets, if it has one. */
  readonly target?: string;
  /** Adds ½ · strength · ‖θ‖² of these parameters (all by default), once, however many examples there are. */
  readonly weightDecay?: { readonly strength: number; readonly parameters?: readonly string[] };
}

/** What a probe set looks like from outside. Sizes only, never its data. */
export interface ProbeSetShape {
  /** With the number of examples in front. */
  readonly xShape: readonly number[];
  /** `int64` for token ids and the like. */
  readonly xDtype?: string;
  /** Of a model with several data inputs: its arrays by the names of the inputs. The first may be `x`. */
  readonly inputs?: Readonly<Record<string, { readonly shape: readonly number[]; readonly dtype: string }>>;
  readonly yShape: readonly number[];
  /** `int64` for class indices, `float32` for targets; other names are refused. */
  readonly yDtype: string;
  /** Of class indices, without those that are ignored. */
  readonly minClass?: number;
  readonly maxClass?: number;
  readonly classNames?: readonly string[];
}

/** Inputs `parameter`, `data`, `target`. Output names are given beside the graph. */
export interface GradientGraph {
  readonly graph: Graph;
  /** Scalar: the SUM of the losses of the chunk's examples. Whoever adds up the chunks divides by all examples. */
  readonly loss: string;
  /** `[batch]`: the losses one by one, for a sum in double precision. */
  readonly losses: string;
  /** `[batch]`: what each example weighs; where it is missing, 1. The sums are divided by the sum of all weights. */
  readonly weights?: string;
  /** One for each parameter, in their order, of the parameter's shape: derivative of `loss`, so also a sum over examples. */
  readonly gradients: readonly string[];
}

/** The part of a Hessian-vector product that depends on parameters and data only. Outputs: those of the gradient, and kept. */
export interface PrimalGraph extends GradientGraph {
  /** Outputs that a tangent graph takes as inputs under the same names (role `kept`). Some have the batch axis, some not. */
  readonly kept: readonly string[];
}

/**
 * The part that depends on the vectors. Inputs: `kept` ones, those of `parameter`, `data` and `target` that are needed
 * (look at `graph.inputs`), and the vectors. Outputs: H·v, again as a sum over the chunk's examples.
 */
export interface TangentGraph {
  readonly graph: Graph;
  /** `vectors[k][i]`: the input that takes the part of vector k that belongs to parameter i. */
  readonly vectors: readonly (readonly string[])[];
  /** `products[k][i]`: the output with the part of H·(vector k) that belongs to parameter i. */
  readonly products: readonly (readonly string[])[];
}

export interface LinearizedGraph {
  readonly primal: PrimalGraph;
  /** For one vector; `forVectors(tangent, k)` makes one for k of them that shares what is kept. */
  readonly tangent: TangentGraph;
  /** What gradients and products are already divided by; 1 where it is missing. */
  readonly divisor?: number;
}
