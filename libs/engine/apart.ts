/** Gradients of single examples. */
import { mixesExamples, perExampleGradient, UnsupportedModel, type GradientGraph, type Graph } from '#graph/index.js';
import { StagewatchError } from '#runtime/errors.js';
import type { ParameterLayout, Parts } from './parameter-layout.js';

/** Whether several examples can go through at once. */
export type Apart = GradientGraph & { readonly together: boolean };

/** The graph of single examples' gradients; where that cannot be had, the gradient itself, for one example at a time. */
export function apartGraph(graph: Graph, gradient: () => GradientGraph): Apart {
  try {
    return { ...perExampleGradient(graph), together: true };
  } catch (error) {
    if (!(error instanceof UnsupportedModel)) throw error;
    return { ...gradient(), together: false };
  }
}

/** The parts of each example's gradient, from what a run gives for all of its examples. */
export function rowsOf(parameters: ParameterLayout, stacks: Parts, examples: number): Parts[] {
  return Array.from({ length: examples }, (_, row) =>
    parameters.map(({ size }, i) => stacks[i]!.subarray(row * size, (row + 1) * size)),
  );
}

export function checkRows(
  rows: readonly number[],
  { graph, examples, parameterCount }: { readonly graph: Graph; readonly examples: number; readonly parameterCount: number },
  memoryBytes: number,
): void {
  const wrong = rows.find((row) => !Number.isInteger(row) || row < 0 || row >= examples);
  if (wrong !== undefined) throw new RangeError(`There is no example ${wrong} among ${examples}`);
  const most = Math.floor(memoryBytes / (4 * Math.max(1, parameterCount)));
  if (rows.length > Math.max(1, most)) {
    throw new StagewatchError('MEMORY_LIMIT', 'The gradients of so many examples do not fit into the memory', {
      field: 'rows',
      value: `${rows.length} examples`,
      expected: `at most ${most} at a time`,
    });
  }
  if (mixesExamples(graph)) {
    throw new StagewatchError(
      'UNSUPPORTED_MODEL',
      'Batch statistics tie the examples of this model together: one example has no gradient of its own',
      { field: 'model', value: 'training-mode normalisation over the batch', expected: 'a model in evaluation mode' },
    );
  }
}
