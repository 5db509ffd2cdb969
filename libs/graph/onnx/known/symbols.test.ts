import { describe, expect, it } from 'vitest';
import type { Dim } from '../../graph.js';
import { factorOf, isFree } from '../../shapes.js';
import { Undecided, divided, isAtMost, isEqual, isLess, larger, plus, remainder, smaller, times } from './symbols.js';

const samples: readonly Dim[] = [-3, -1, 0, 1, 2, 3, 6, 'batch', 'batch*2', 'batch*6', 'batch*-1', 'batch*-2'];
const value = (dim: Dim, examples: number): number => (isFree(dim) ? examples * factorOf(dim) : dim);

const operations: Readonly<
  Record<string, readonly [(a: Dim, b: Dim) => Dim | boolean, (a: number, b: number) => number | boolean]>
> = {
  plus: [plus, (a, b) => a + b],
  times: [times, (a, b) => a * b],
  divided: [(a, b) => divided(a, b, true), (a, b) => Math.trunc(a / b)],
  'the quotient of floats': [(a, b) => divided(a, b, false), (a, b) => a / b],
  remainder: [(a, b) => remainder(a, b, true), (a, b) => a % b],
  'the remainder with the sign of the divisor': [(a, b) => remainder(a, b, false), (a, b) => a - b * Math.floor(a / b)],
  isLess: [isLess, (a, b) => a < b],
  isAtMost: [isAtMost, (a, b) => a <= b],
  isEqual: [isEqual, (a, b) => a === b],
  smaller: [smaller, Math.min],
  larger: [larger, Math.max],
};

/** The answer; undefined where it is open. */
function answerOf<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch (error) {
    if (error instanceof Undecided) return undefined;
    throw error;
  }
}

const same = (a: number | boolean, b: number | boolean): boolean =>
  Object.is(a, b) || a === b || Math.abs(Number(a) - Number(b)) < 1e-12;

describe('what is said of a number and a multiple of the examples holds for every number of examples', () => {
  it.each(Object.entries(operations))('%s', (_name, [symbolic, numeric]) => {
    const pairs = samples.flatMap((a) => samples.map((b) => [a, b] as const));
    const answers = pairs.map(([a, b]) => ({ a, b, answer: answerOf(() => symbolic(a, b)) }));
    const wrong = answers.flatMap(({ a, b, answer }) =>
      [1, 2, 5, 12]
        .filter((examples) => {
          if (answer === undefined) return !isFree(a) && !isFree(b) && b !== 0;
          const actual = typeof answer === 'boolean' ? answer : value(answer, examples);
          return !same(actual, numeric(value(a, examples), value(b, examples)));
        })
        .map((examples) => `${a}, ${b} with ${examples}: ${answer}`),
    );
    expect(wrong).toEqual([]);
    expect(answers.filter(({ answer }) => answer !== undefined).length).toBeGreaterThan(samples.length * 2);
  });

  it.each([
    ['plus', 'batch', 1],
    ['divided', 'batch', 2],
    ['divided', 7, 'batch'],
    ['isLess', 'batch', 3],
    ['isEqual', 'batch*2', 6],
    ['times', 'batch', 'batch'],
  ] as const)('%s of %s and %s is open', (name, a, b) => {
    expect(() => operations[name]?.[0](a, b)).toThrow('depends on the number of examples');
  });
});
