import { describe, expect, it } from 'vitest';
import { editDistance, nearest } from './nearest.js';

describe('nearest', () => {
  const known = ['Relu', 'LeakyRelu', 'Softmax', 'LogSoftmax', 'Gemm', 'Tanh', 'Add', 'ReduceSum', 'ReduceMean'];

  it.each([
    ['relu', ['Relu', 'LeakyRelu']],
    ['Softmx', ['Softmax']],
    ['Atanh', ['Tanh']],
    ['ReduceMax', ['ReduceMean', 'ReduceSum']],
    ['Conv', []],
  ])('%s', (name, expected) => {
    expect(nearest(name, known)).toEqual(expected);
  });

  it.each([
    ['', '', 0],
    ['abc', '', 3],
    ['kitten', 'sitting', 3],
    ['Relu', 'RELU', 0],
  ])('distance of %s and %s', (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance);
    expect(editDistance(b, a)).toBe(distance);
  });
});
