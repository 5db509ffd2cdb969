import type * as Core from '@tensorflow/tfjs-core';
import type { Graph, GraphNode } from '#graph/graph.js';
import { examplesOf, resolveShape, showShape } from '#graph/shapes.js';
import { opNamed } from '#graph/ops/registry.js';
import { elements, referenceTensor } from '#graph/reference-tensor.js';
import type { TfjsOps } from '#graph/tfjs-ops.js';
import { StagewatchError } from '#runtime/errors.js';
import { firstLine } from './open-executor.js';
import { tfjsTensor, tfjsTypes, wrap, type Tfjs, type TfjsTensor } from './tfjs-tensors.js';

/** A graph, run node by node with each op's own kernel. What no later node needs is given back on the way. */
export class TfjsProgram {
  readonly #name: string;
  readonly #tf: Tfjs;
  readonly #ops: TfjsOps;
  readonly #graph: Graph;
  readonly #constants: ReadonlyMap<string, Core.Tensor>;
  /** Results that nobody needs after the node of the same place. */
  readonly #spent: readonly (readonly string[])[];

  constructor(name: string, tf: Tfjs, ops: TfjsOps, graph: Graph) {
    this.#name = name;
    this.#tf = tf;
    this.#ops = ops;
    this.#graph = graph;
    this.#constants = new Map(
      graph.constants.map(({ name: constant, shape, data, dtype }) => [constant, tfjsTensor(tf, shape.map(Number), data, dtype)]),
    );
    this.#spent = spentAfter(graph);
  }

  /** Runs to its end before it returns, so that two programs never mix. */
  run(inputs: Readonly<Record<string, TfjsTensor>>): Record<string, TfjsTensor> {
    const values = new Map(this.#constants);
    for (const { name } of this.#graph.inputs) {
      const given = inputs[name];
      if (given !== undefined) values.set(name, given.value);
    }
    const examples = this.#examples(values);
    const made = new Map<string, Core.Tensor>();
    try {
      for (const [i, node] of this.#graph.nodes.entries()) {
        const value = this.#compute(node, values, examples);
        values.set(node.output, value);
        made.set(node.output, value);
        for (const name of this.#spent[i]!) {
          made.get(name)?.dispose();
          made.delete(name);
        }
      }
      return this.#outputs(values);
    } finally {
      for (const value of made.values()) value.dispose();
    }
  }

  close(): void {
    for (const constant of this.#constants.values()) constant.dispose();
  }

  /** Every output as a handle of its own: two may show one value, and one may show an input. Copies share the memory. */
  #outputs(values: ReadonlyMap<string, Core.Tensor>): Record<string, TfjsTensor> {
    return Object.fromEntries(
      this.#graph.outputs.map(({ name, value }) => [name, wrap(this.#tf.clone(present(values, value)))] as const),
    );
  }

  #compute(node: GraphNode, values: ReadonlyMap<string, Core.Tensor>, examples: number | undefined): Core.Tensor {
    const tf = this.#tf;
    if (node.op === 'batchSize') return tf.scalar(examples ?? 0);
    const inputs = node.inputs.map((name) => present(values, name));
    const shape = resolveShape(node.shape, examples);
    const empty = this.#ofEmpty(node, inputs, shape);
    if (empty !== undefined) return empty;
    try {
      return tf.tidy(() => {
        const result = opNamed(node.op).tfjs(this.#ops, inputs, node.attributes, shape) as Core.Tensor;
        if (result.shape.join() !== shape.join()) {
          throw new Error(`it gave ${showShape(result.shape)} where ${showShape(shape)} is expected`);
        }
        // Backends have ideas of their own of what a whole number divided by another one is.
        if (result.dtype !== tfjsTypes[node.dtype]) return this.#ops.cast(result, tfjsTypes[node.dtype]) as Core.Tensor;
        // An input that passes through must not share its handle with the result.
        return inputs.includes(result) ? tf.clone(result) : result;
      });
    } catch (error) {
      const reason = firstLine(error);
      throw new StagewatchError(
        'EXECUTOR_FAILED',
        `${this.#name} cannot run '${node.op}' (${node.output}): ${reason}`,
        {},
        error,
      );
    }
  }

  /** Tensors without elements have no memory on a device, and backends differ in what they make of them. */
  #ofEmpty({ op, attributes, dtype }: GraphNode, inputs: readonly Core.Tensor[], shape: number[]): Core.Tensor | undefined {
    if (elements(shape) === 0) return tfjsTensor(this.#tf, shape, new Float32Array(0), dtype);
    if (inputs.length === 0 || inputs.some(({ size }) => size > 0)) return undefined;
    const none = inputs.map((input) => referenceTensor(input.shape, []));
    return tfjsTensor(this.#tf, shape, opNamed(op).reference(none, attributes, shape), dtype);
  }

  #examples(values: ReadonlyMap<string, Core.Tensor>): number | undefined {
    for (const { name, shape } of this.#graph.inputs) {
      const examples = values.has(name) ? examplesOf(shape, present(values, name).shape) : undefined;
      if (examples !== undefined) return examples;
    }
    return undefined;
  }
}

function present(values: ReadonlyMap<string, Core.Tensor>, name: string): Core.Tensor {
  const value = values.get(name);
  if (value === undefined) throw new Error(`There is no value '${name}'`);
  return value;
}

function spentAfter({ nodes, outputs }: Graph): string[][] {
  const last = new Map<string, number>();
  for (const [i, node] of nodes.entries()) {
    // A result that nobody takes is spent at once.
    last.set(node.output, i);
    for (const name of node.inputs) if (last.has(name)) last.set(name, i);
  }
  for (const { value } of outputs) last.delete(value);
  const spent: string[][] = nodes.map(() => []);
  for (const [name, i] of last) spent[i]!.push(name);
  return spent;
}
