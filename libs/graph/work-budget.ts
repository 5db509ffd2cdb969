import { UnsupportedModel } from './errors.js';
import type { Attributes, Shape, ValueType } from './graph.js';
import { limits } from './limits.js';
import type { OpDefinition } from './op.js';
import { fixedSize } from './shapes.js';

export interface Cost {
  /** Multiplications and the like. */
  readonly steps: number;
  /** Numbers that are made, of eight bytes each. */
  readonly elements: number;
}

/** To read or to write one takes a few times as long as a multiplication. */
export const STEPS_PER_ELEMENT = 8;

/** What one use of an op costs where nothing is free; known from shapes, before anything is computed. */
export function costOf(
  definition: Pick<OpDefinition, 'work'>,
  inputs: readonly ValueType[],
  attributes: Attributes,
  shape: Shape,
): Cost {
  const elements = fixedSize(shape);
  const touched = inputs.reduce((sum, input) => sum + fixedSize(input.shape), elements);
  const steps = definition.work?.(inputs, attributes, shape) ?? STEPS_PER_ELEMENT * touched;
  return { steps, elements };
}

/**
 * What may be computed while one graph is built, of what its author left to be computed. A file of a few bytes can ask for
 * any amount of it.
 */
export class WorkBudget {
  #steps = 0;
  #elements = 0;
  #inner = 0;

  /** Whether there is room for this, which is then taken. */
  takes({ steps, elements }: Cost): boolean {
    // Written so that a number that is none has no room.
    if (!(this.#steps + steps <= limits.foldedSteps && this.#elements + elements <= limits.foldedElements)) return false;
    this.#steps += steps;
    this.#elements += elements;
    return true;
  }

  /** The same where the graph cannot do without it. Throws before the work is done. */
  spend(cost: Cost): void {
    if (this.takes(cost)) return;
    throw new UnsupportedModel('it would take very many computations while importing', {
      value: `${cost.steps} more after ${this.#steps}`,
      expected: `at most ${limits.foldedSteps} steps and ${limits.foldedElements} numbers in what is computed before the model runs`,
    });
  }

  /** So many nodes of graphs inside nodes, each time that they are read. False when there are too many. */
  takesInner(nodes: number): boolean {
    this.#inner += nodes;
    return this.#inner <= limits.nodes;
  }
}
