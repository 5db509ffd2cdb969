import { describe, expect, it } from 'vitest';
import { mixesExamples } from '#graph/index.js';
import { cases, toleranceOf, trainingGraph } from './golden.js';
import { errorsInReference } from './in-reference.js';

describe('PyTorch\'s loss, gradient and product in double precision', () => {
  it.each(cases)('$name by the $exporter exporter', ({ name, exporter, golden }) => {
    const errors = errorsInReference(trainingGraph(name, exporter, golden), golden);
    for (const error of Object.values(errors)) expect(error, JSON.stringify(errors)).toBeLessThan(toleranceOf(name, exporter));
  });
});

describe('only statistics of a batch tie examples together', () => {
  it.each(cases)('$name by the $exporter exporter', ({ name, exporter, golden }) => {
    expect(mixesExamples(trainingGraph(name, exporter, golden))).toBe(golden.train);
  });
});
