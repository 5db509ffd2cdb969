import { describe, expect, it } from 'vitest';
import { budgetFor } from './memory-budget.js';

const mib = 1024 ** 2;
const size = { parameters: 1000, graphBytes: 0, probeSetBytes: 0 };

describe('budgetFor', () => {
  it('leaves a small model nearly everything', () => {
    const { maxBasis, modelBytes } = budgetFor(size, 2048 * mib);
    expect(maxBasis).toBe(16);
    expect(modelBytes / mib).toBeGreaterThan(1500);
  });

  it.each([1, 2, 5, 10, 15, 16])('never gives away more than there is: %i million parameters', (millions) => {
    const large = { parameters: millions * 1e6, graphBytes: 10 * mib, probeSetBytes: 100 * mib };
    const { maxBasis, modelBytes } = budgetFor(large, 2048 * mib);
    expect(maxBasis).toBeGreaterThanOrEqual(10);
    expect(modelBytes).toBeGreaterThan(0);
    expect((2 * maxBasis + 8) * 4 * large.parameters + modelBytes + 2 * 110 * mib).toBeLessThanOrEqual(2048 * mib);
  });

  it('makes do with a smaller basis before it refuses', () => {
    expect(budgetFor({ ...size, parameters: 15e6 }, 2048 * mib).maxBasis).toBeLessThan(16);
  });

  it('says what a model would take that does not fit', () => {
    const refused = expect.objectContaining({
      code: 'MEMORY_LIMIT',
      message: 'To measure a model of 25000000 parameters takes 2703 MiB',
      detail: { expected: 'at most the 2048 MiB of STAGEWATCH_ENGINE_MEMORY_MIB' },
    });
    expect(() => budgetFor({ ...size, parameters: 25e6 }, 2048 * mib)).toThrow(refused);
    expect(() => budgetFor({ ...size, probeSetBytes: 1024 * mib }, 2048 * mib)).toThrow(/takes 2081 MiB/);
  });
});
