/**
 * What moves with a vector moves linearly, so every elementwise part of a tangent graph is a sum of fixed ⊙ moving. Chains of
 * sums, multiples and quotients are collected into such sums, the fixed factors of one moving value into one factor that is
 * computed once per snapshot: a product then does one multiplication where the derivative rules, applied one after the other,
 * did many. `p ⊙ (q ⊙ t) + r ⊙ t` becomes `(p ⊙ q + r) ⊙ t`.
 */
import { reachable } from './builder.js';
import { add, div, expand, mul, neg, sub } from './emit.js';
import { where } from './emit/elementwise.js';
import { at } from './op.js';
import type { Emit, Source, Value } from './op.js';
import { constantNumber, operandOf } from './ops/patterns.js';
import { fixedSize, freeAxes, sameShape } from './shapes.js';

/** ± factor ⊙ moving, broadcast against each other; without a factor, ± moving. */
interface Term {
  readonly moving: Value;
  readonly factor: Value | undefined;
  readonly negative: boolean;
}

type Form = readonly Term[];
type Application = Extract<Source, { kind: 'op' }>;

/** The same values with their elementwise tangent parts collected. `moves` says what depends on the vector. */
export function collected(e: Emit, ends: readonly Value[], moves: (value: Value) => boolean): Value[] {
  const order = [...reachable(ends)].filter(moves).sort((a, b) => a.index - b.index);
  const isMet = meetingPoints(order, ends, moves);
  const forms = new Map<Value, Form>();
  const made = new Map<Value, Value>();

  const formOf = (value: Value): Form => forms.get(value) ?? [bare(value)];
  /** What was made of a value; fixed values stay. */
  const valueOf = (value: Value): Value => {
    if (!moves(value)) return value;
    const known = made.get(value);
    if (known !== undefined) return known;
    const result = valueOfTerm(e, written(e, formOf(value), value), value);
    made.set(value, result);
    return result;
  };
  /** An op that is more than elementwise: the sign of what it is linear in is left to whoever takes the result. */
  const whole = ({ op, inputs, attributes }: Application): Term => {
    const [only, ...others] = inputs.filter(moves);
    if (only === undefined || others.length > 0 || !linearOps.has(op)) return bare(e.apply(op, inputs.map(valueOf), attributes));
    const term = written(e, formOf(only), only);
    const positive = valueOfTerm(e, { ...term, negative: false }, only);
    const given = inputs.map((input) => (input === only ? positive : input));
    return { ...bare(e.apply(op, given, attributes)), negative: term.negative };
  };

  for (const value of order) {
    const { source } = value;
    const form = source.kind === 'op' ? elementwiseForm(e, source, formOf, moves) : [bare(value)];
    if (form !== undefined && (form.length === 1 || !isMet.has(value))) forms.set(value, form);
    else {
      forms.set(value, [form === undefined ? whole(source as Application) : written(e, form, value)]);
    }
  }
  return ends.map(valueOf);
}

const bare = (moving: Value): Term => ({ moving, factor: undefined, negative: false });

/** Of these, an operand's sign can be taken out. */
const linearOps: ReadonlySet<string> = new Set(['matmul', 'reduceSum', 'reshape', 'transpose']);

/** The operands that move, when the op is linear in them and works element by element. */
function movingOperands({ op, inputs }: Application, moves: (value: Value) => boolean): readonly Value[] | undefined {
  switch (op) {
    case 'add':
    case 'sub':
    case 'neg':
    case 'expand':
    case 'mul':
      return inputs.filter(moves);
    case 'div':
      return moves(at(inputs, 1)) ? undefined : [at(inputs, 0)];
    case 'where': {
      const chosen = inputs.slice(1);
      return chosen.every((value) => moves(value) || constantNumber(value) === 0) ? chosen.filter(moves) : undefined;
    }
    default:
      return undefined;
  }
}

/**
 * Values that have to be there as such, because something else than an elementwise op takes them or because they lead to
 * several such places. Between them, everything is written out in one sum.
 */
function meetingPoints(order: readonly Value[], ends: readonly Value[], moves: (value: Value) => boolean): Set<Value> {
  const met = new Set<Value>(ends);
  const leadsTo = new Map<Value, Value>();
  const lead = (value: Value, place: Value): void => {
    const known = leadsTo.get(value);
    if (known === undefined) leadsTo.set(value, place);
    else if (known !== place) met.add(value);
  };
  for (const value of order.toReversed()) {
    if (value.source.kind !== 'op') continue;
    const through = movingOperands(value.source, moves);
    if (through === undefined) for (const input of value.source.inputs) met.add(input);
    const place = met.has(value) ? value : (leadsTo.get(value) ?? value);
    for (const input of through ?? []) lead(input, place);
  }
  return met;
}

function elementwiseForm(
  e: Emit,
  source: Application,
  formOf: (value: Value) => Form,
  moves: (value: Value) => boolean,
): Form | undefined {
  if (movingOperands(source, moves) === undefined) return undefined;
  const { op, inputs } = source;
  const a = at(inputs, 0);
  switch (op) {
    case 'neg':
      return formOf(a).map(negated);
    case 'expand':
      // What is written at last has the shape of the whole sum anyway.
      return formOf(a);
    case 'div':
      return formOf(a).map((term) => times(e, term, div(e, e.scalar(1), at(inputs, 1))));
    case 'mul': {
      const b = at(inputs, 1);
      const [moving, fixed] = moves(a) ? [a, b] : [b, a];
      return formOf(moving).map((term) => times(e, term, fixed));
    }
    case 'where': {
      const zero = e.scalar(0);
      const [first, second] = [at(inputs, 1), at(inputs, 2)];
      const ofFirst = moves(first) ? formOf(first).map((term) => chosen(e, term, (factor) => where(e, a, factor, zero))) : [];
      const ofSecond = moves(second) ? formOf(second).map((term) => chosen(e, term, (factor) => where(e, a, zero, factor))) : [];
      return joined(e, ofFirst, ofSecond);
    }
    default: {
      const b = at(inputs, 1);
      // A sum with something that stands still does not come from a derivative.
      if (!moves(a) || !moves(b)) return undefined;
      return joined(e, formOf(a), op === 'sub' ? formOf(b).map(negated) : formOf(b));
    }
  }
}

const negated = (term: Term): Term => ({ ...term, negative: !term.negative });

function times(e: Emit, term: Term, fixed: Value): Term {
  const product = term.factor === undefined ? fixed : mul(e, term.factor, fixed);
  if (constantNumber(product) === 1) return { ...term, factor: undefined };
  const minus = operandOf(product, 'neg');
  return minus === undefined ? { ...term, factor: product } : { ...term, factor: minus, negative: !term.negative };
}

/** A choice between something that moves and 0 is made of its factor, so an infinite factor that is not chosen plays no part. */
const chosen = (e: Emit, term: Term, choose: (factor: Value) => Value): Term => ({
  ...term,
  factor: choose(term.factor ?? e.scalar(1)),
});

/** Terms of one moving value become one term. */
function joined(e: Emit, a: Form, b: Form): Form {
  const terms = [...a];
  for (const term of b) {
    const place = terms.findIndex(({ moving }) => moving === term.moving);
    const same = terms[place];
    if (same === undefined) terms.push(term);
    else terms[place] = sumOf(e, same, term);
  }
  return terms;
}

function sumOf(e: Emit, a: Term, b: Term): Term {
  const [x, y] = [a.factor ?? e.scalar(1), b.factor ?? e.scalar(1)];
  const factor = a.negative === b.negative ? add(e, x, y) : sub(e, x, y);
  const { moving, negative } = a;
  return { moving, negative, factor: constantNumber(factor) === 1 ? undefined : factor };
}

const stretch = ({ shape }: Value): number => freeAxes(shape) * 2 ** 40 + fixedSize(shape);

/** The sum as one term: factors that all or several terms share are multiplied once, small parts are added first. */
function written(e: Emit, form: Form, like: Value): Term {
  const groups = new Map<Value | undefined, Part[]>();
  for (const { factor, moving, negative } of form) {
    groups.set(factor, [...(groups.get(factor) ?? []), { value: moving, negative }]);
  }
  const sums = [...groups].map(([factor, terms]): Term => {
    const { value, negative } = sumOfParts(e, terms);
    return { moving: value, factor, negative };
  });
  const [only] = sums;
  if (only !== undefined && sums.length === 1) return only;
  const { value, negative } = sumOfParts(
    e,
    sums.map((term) => ({ value: unsigned(e, term), negative: term.negative })),
  );
  return { moving: sameShape(value.shape, like.shape) ? value : expand(e, value, like.shape), factor: undefined, negative };
}

const unsigned = (e: Emit, { moving, factor }: Term): Value => (factor === undefined ? moving : mul(e, factor, moving));

function valueOfTerm(e: Emit, term: Term, like: Value): Value {
  const value = term.negative ? neg(e, unsigned(e, term)) : unsigned(e, term);
  return sameShape(value.shape, like.shape) ? value : expand(e, value, like.shape);
}

interface Part {
  readonly value: Value;
  readonly negative: boolean;
}

function sumOfParts(e: Emit, parts: readonly Part[]): Part {
  const [first, ...rest] = parts.toSorted((a, b) => stretch(a.value) - stretch(b.value));
  if (first === undefined) throw new Error('A sum of nothing');
  return rest.reduce<Part>((sum, part) => {
    if (sum.negative === part.negative) return { value: add(e, sum.value, part.value), negative: sum.negative };
    return sum.negative
      ? { value: sub(e, part.value, sum.value), negative: false }
      : { value: sub(e, sum.value, part.value), negative: false };
  }, first);
}
