import { GraphBuilder } from './builder.js';
import { add, matmul, relu, sigmoid, tanh } from './emit.js';
import type { Graph } from './graph.js';
import type { Emit, Value } from './op.js';

export interface MlpSpec {
  /** Inputs, hidden layers, outputs. */
  readonly sizes: readonly number[];
  /** Between layers; the last one has none. */
  readonly activation: 'tanh' | 'relu' | 'sigmoid' | 'linear';
  readonly bias?: boolean;
}

const activations: Readonly<Record<MlpSpec['activation'], (e: Emit, x: Value) => Value>> = {
  tanh,
  relu,
  sigmoid,
  linear: (_e, x) => x,
};

/**
 * A forward graph of dense layers: `x` [batch, sizes[0]] → `prediction` [batch, last size]. Parameters are
 * `layer1.weight` [in, out], `layer1.bias` [out], `layer2.weight` …; they carry no values.
 *
 * @example mlp({ sizes: [64, 32, 10], activation: 'tanh' })
 */
export function mlp({ sizes, activation, bias = true }: MlpSpec): Graph {
  const builder = new GraphBuilder();
  const layers = sizes.slice(1).map((size, i) => {
    const parameter = (name: string, shape: readonly number[]): Value =>
      builder.input({ name: `layer${i + 1}.${name}`, role: 'parameter', dtype: 'float32', shape });
    const weight = parameter('weight', [sizes[i] ?? 0, size]);
    return { weight, bias: bias ? parameter('bias', [size]) : undefined };
  });
  let value = builder.input({ name: 'x', role: 'data', dtype: 'float32', shape: ['batch', sizes[0] ?? 0] });
  for (const [i, layer] of layers.entries()) {
    const product = matmul(builder, value, layer.weight);
    const affine = layer.bias === undefined ? product : add(builder, product, layer.bias);
    value = i < layers.length - 1 ? activations[activation](builder, affine) : affine;
  }
  return builder.build([{ name: 'prediction', value }]);
}
