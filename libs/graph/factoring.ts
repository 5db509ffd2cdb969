/**
 * An emitter for tangents that multiplies factors which do not depend on the vector with each other, once per snapshot,
 * instead of with the tangent one after the other in each product: p ⊙ (q ⊙ t) becomes (p ⊙ q) ⊙ t.
 */
import type { Attributes, ConstantData, DType } from './graph.js';
import { at } from './op.js';
import type { Emit, Value } from './op.js';
import { madeBy } from './ops/patterns.js';

export class FactoringEmit implements Emit {
  readonly #emit: Emit;
  readonly #depends: Map<Value, boolean>;

  constructor(emit: Emit, vectors: readonly Value[]) {
    this.#emit = emit;
    this.#depends = new Map(vectors.map((vector) => [vector, true]));
  }

  dependsOnVectors(value: Value): boolean {
    // A stack of its own: a network may be deeper than calls may be.
    const open = [value];
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const inputs = top.source.kind === 'op' ? top.source.inputs : [];
      const unknown = this.#depends.has(top) ? [] : inputs.filter((input) => !this.#depends.has(input));
      if (unknown.length > 0) {
        open.push(...unknown);
        continue;
      }
      if (!this.#depends.has(top))
        this.#depends.set(
          top,
          inputs.some((input) => this.#depends.get(input)),
        );
      open.pop();
    }
    return this.#depends.get(value) ?? false;
  }

  constant(shape: readonly number[], data: ConstantData, dtype?: DType): Value {
    return this.#emit.constant(shape, data, dtype);
  }

  scalar(value: number): Value {
    return this.#emit.scalar(value);
  }

  apply(op: string, inputs: readonly Value[], attributes: Attributes = {}): Value {
    return this.#refactored(op, inputs) ?? this.#emit.apply(op, inputs, attributes);
  }

  #refactored(op: string, inputs: readonly Value[]): Value | undefined {
    if (op === 'neg') {
      const product = this.#product(at(inputs, 0));
      return product && this.apply('mul', [this.#emit.apply('neg', [product.fixed]), product.tangent]);
    }
    if (op !== 'mul') return undefined;
    const [a, b] = [at(inputs, 0), at(inputs, 1)];
    const [fixed, tangent] = this.dependsOnVectors(a) ? [b, a] : [a, b];
    const product = this.#product(tangent);
    if (product === undefined || this.dependsOnVectors(fixed)) return undefined;
    return this.apply('mul', [this.#emit.apply('mul', [fixed, product.fixed]), product.tangent]);
  }

  /** The parts of fixed ⊙ tangent. */
  #product(value: Value): { readonly fixed: Value; readonly tangent: Value } | undefined {
    const product = madeBy(value, 'mul');
    if (product === undefined) return undefined;
    const [a, b] = [at(product.inputs, 0), at(product.inputs, 1)];
    if (this.dependsOnVectors(a) === this.dependsOnVectors(b)) return undefined;
    return this.dependsOnVectors(a) ? { fixed: b, tangent: a } : { fixed: a, tangent: b };
  }
}
