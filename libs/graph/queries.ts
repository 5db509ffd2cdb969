import type { Graph, GraphInput, Role } from './graph.js';

export const inputsOf = (graph: Graph, role: Role): readonly GraphInput[] => graph.inputs.filter((input) => input.role === role);

/** In the order of a snapshot's tensors. */
export const parametersOf = (graph: Graph): readonly GraphInput[] => inputsOf(graph, 'parameter');

/** Row i is zeros with a 1 at `classes[i]`; where that is the ignored class, it is zeros. */
export function oneHot(classes: ArrayLike<number | bigint>, count: number, ignored?: number): Float32Array {
  const rows = new Float32Array(classes.length * count);
  for (let i = 0; i < classes.length; i++) {
    const index = Number(classes[i]);
    if (index === ignored) continue;
    if (!(Number.isInteger(index) && index >= 0 && index < count))
      throw new RangeError(`Class ${index} is not among ${count} classes`);
    rows[i * count + index] = 1;
  }
  return rows;
}
