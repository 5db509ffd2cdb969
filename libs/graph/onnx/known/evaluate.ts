/**
 * Operators that only move elements are worked out by the readers of the ops themselves: where there are symbols, on the
 * places of the elements instead of the elements.
 */
import type { Attributes, ConstantData, DType, Dim } from '../../graph.js';
import type { Emit, OnnxReader, Value } from '../../op.js';
import { opNamed } from '../../ops/registry.js';
import { isFree, showShape } from '../../shapes.js';
import { elements, inDouble, listed } from '../../reference-tensor.js';
import { costOf, type WorkBudget } from '../../work-budget.js';
import { hasSymbols, known, MAX_KNOWN_ELEMENTS, roomFor, tensorOf, tooLarge } from './known.js';
import type { KnownTensor } from './known.js';
import { Undecided } from './symbols.js';

/** Applies ops to constants at once. */
class Calculator implements Emit {
  readonly work: WorkBudget;
  #count = 0;

  constructor(work: WorkBudget) {
    this.work = work;
  }

  constant(shape: readonly number[], data: ConstantData, dtype: DType = 'float32'): Value {
    return { index: this.#count++, dtype, shape, source: { kind: 'constant', data } };
  }

  scalar(value: number): Value {
    return this.constant([], Float64Array.of(value));
  }

  apply(op: string, inputs: readonly Value[], attributes: Attributes = {}): Value {
    const definition = opNamed(op);
    const shape = definition.shape(inputs, attributes);
    if (op === 'batchSize' || shape.some(isFree)) throw new Undecided(`A tensor of shape ${showShape(shape)}`);
    const fixed = shape as readonly number[];
    if (elements(fixed) > MAX_KNOWN_ELEMENTS) throw tooLarge(fixed);
    this.work.spend(costOf(definition, inputs, attributes, fixed));
    const tensors = inputs.map(({ source, shape: from }) => ({
      shape: from as readonly number[],
      data: source.kind === 'constant' ? inDouble(source.data) : new Float64Array(),
    }));
    const dtype = definition.dtype?.(inputs, attributes) ?? 'float32';
    return this.constant(fixed, definition.reference(tensors, attributes, fixed), dtype);
  }
}

/** Inputs that are moved; the others say where to. */
const movedInputs: Readonly<Record<string, (index: number) => boolean>> = {
  Concat: () => true,
  DepthToSpace: (i) => i === 0,
  Expand: (i) => i === 0,
  Flatten: (i) => i === 0,
  Gather: (i) => i === 0,
  GatherElements: (i) => i === 0,
  GatherND: (i) => i === 0,
  Identity: (i) => i === 0,
  Reshape: (i) => i === 0,
  ScatterElements: (i) => i !== 1,
  ScatterND: (i) => i !== 1,
  Slice: (i) => i === 0,
  Split: (i) => i === 0,
  Squeeze: (i) => i === 0,
  Tile: (i) => i === 0,
  Transpose: (i) => i === 0,
  Unsqueeze: (i) => i === 0,
};

export type Reading = (
  e: Emit,
  inputs: readonly (KnownTensor | { readonly kind: 'tensor'; readonly value: Value } | undefined)[],
) => ReturnType<OnnxReader>;

const numbersOf = ({ source }: Value): ArrayLike<number> => (source.kind === 'constant' ? source.data : []);

/** What the reader of an operator makes of known inputs; undefined where symbols would have to be calculated with. */
export function evaluated(
  work: WorkBudget,
  opType: string,
  inputs: readonly (KnownTensor | undefined)[],
  read: Reading,
): readonly (KnownTensor | undefined)[] | undefined {
  const isMoved = movedInputs[opType];
  const symbolic = inputs.map((input, i) => input !== undefined && hasSymbols(input) && (isMoved?.(i) ?? true));
  const calculator = new Calculator(work);
  if (!symbolic.includes(true)) {
    // What passes as it is stays the same tensor: a copy in each turn of a loop would cost memory that nobody counts.
    return [read(calculator, inputs)]
      .flat()
      .map((value) => value && (tensorOf(value) ?? known(value.dtype, fixedShape(value), listed(numbersOf(value)))));
  }
  if (isMoved === undefined) return undefined;
  const moved: Dim[] = [];
  let dtype: DType = 'int64';
  const places = inputs.map((input, i) => {
    if (input === undefined || !isMoved(i)) return input;
    // Place 0 is left for zeros that an op puts in.
    const data = Float64Array.from(input.data, (_, k) => moved.length + k + 1);
    roomFor(work, input.shape);
    for (const element of input.data) moved.push(element);
    dtype = input.dtype;
    return { kind: 'tensor' as const, value: calculator.constant(input.shape, data) };
  });
  return [read(calculator, places)].flat().map(
    (value) =>
      value &&
      known(
        dtype,
        fixedShape(value),
        Array.from(numbersOf(value), (place) => (place === 0 ? 0 : (moved[place - 1] ?? 0))),
      ),
  );
}

const fixedShape = ({ shape }: Value): readonly number[] => shape as readonly number[];
