import { GraphBuilder } from './builder.js';
import { UnsupportedModel } from './errors.js';
import type { Graph, GraphNode } from './graph.js';

/** The loss as a function of the prediction: the part of a training graph behind the network. */
export interface LossPart {
  /** The value where the network ends: the prediction, or the logits that it is made of. */
  readonly prediction: string;
  /** With `prediction` as an input of that name, and without the examples. */
  readonly graph: Graph;
}

/** Ops that may stand between the value that the loss is made of and the prediction that is shown. */
const passed = new Set(['softmax', 'logSoftmax', 'sigmoid', 'reshape', 'transpose', 'neg', 'expand']);

/**
 * Cuts a training graph at its prediction. A loss that is computed from the logits behind a softmax is cut at those: with
 * them it is convex.
 */
export function lossPart(training: Graph): LossPart {
  const nodes = new Map(training.nodes.map((node) => [node.output, node]));
  let name = training.outputs.find((output) => output.name === 'prediction')?.value;
  for (; name !== undefined && nodes.has(name); name = behind(nodes.get(name)!)) {
    const graph = cutAt(training, nodes.get(name)!);
    if (!graph.inputs.some(({ role }) => role === 'data')) return { prediction: name, graph };
  }
  throw new UnsupportedModel("The loss is no function of the model's prediction and its targets alone", {
    field: 'loss',
    value: 'an output of the model',
    expected: 'a loss that is attached to the prediction',
  });
}

const behind = ({ op, inputs }: GraphNode): string | undefined => (passed.has(op) ? inputs[0] : undefined);

function cutAt(training: Graph, { output, dtype, shape }: GraphNode): Graph {
  const builder = new GraphBuilder();
  const input = builder.input({ name: output, role: 'kept', dtype, shape });
  const values = new Map(training.inputs.map((given) => [given.name, builder.input(given)]));
  values.set(output, input);
  for (const { name, shape: size, data, dtype: type } of training.constants) {
    values.set(name, builder.constant(size as readonly number[], data, type));
  }
  for (const node of training.nodes) {
    if (node.output === output) continue;
    values.set(
      node.output,
      builder.apply(
        node.op,
        node.inputs.map((name) => values.get(name)!),
        node.attributes,
      ),
    );
  }
  const loss = training.outputs.find(({ name }) => name === 'loss')!;
  return builder.build([{ name: 'loss', value: values.get(loss.value)! }], ['parameter', 'target']);
}
