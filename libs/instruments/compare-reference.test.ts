import { describe, expect, it } from 'vitest';
import { compareReference } from './compare-reference.js';

const ours = { loss: 2, gradientNorm: 0.5 };

describe('compareReference', () => {
  it('agrees within float32, and says how well', () => {
    expect(compareReference({ loss: 2.00002, gradientNorm: 0.5 }, ours)).toMatchObject({
      ok: true,
      difference: expect.closeTo(1e-5, 7),
    });
    expect(compareReference({ loss: 1e-9, gradientNorm: undefined }, { loss: 3e-8, gradientNorm: 1 }).ok).toBe(true);
  });

  it('has nothing to say without a reference', () => {
    expect(compareReference({ loss: undefined, gradientNorm: undefined }, ours)).toMatchObject({
      ok: true,
      difference: Number.NaN,
    });
  });

  it.each([
    [4, 'halved'],
    [1, 'halved'],
    [20, 'factor of 1/10'],
    [0.2, 'factor of 10'],
    [2.31, 'dropout'],
  ])('of a framework loss of %d says what to do', (loss, words) => {
    const verdict = compareReference({ loss, gradientNorm: undefined }, ours);
    expect(verdict.ok).toBe(false);
    expect(verdict.reason).toContain(words);
    expect(verdict.reason).toContain('2.00000');
  });

  it('sees a gradient that differs under an equal loss', () => {
    expect(compareReference({ loss: 2, gradientNorm: 0.6 }, ours)).toMatchObject({
      ok: false,
      reason: expect.stringContaining('gradient norm'),
    });
  });

  it('NaN equals only NaN', () => {
    expect(compareReference({ loss: Number.NaN, gradientNorm: undefined }, ours).ok).toBe(false);
    expect(compareReference({ loss: Number.NaN, gradientNorm: undefined }, { loss: Number.NaN, gradientNorm: 1 }).ok).toBe(true);
    expect(compareReference({ loss: 2, gradientNorm: undefined }, { loss: Number.POSITIVE_INFINITY, gradientNorm: 1 }).ok).toBe(
      false,
    );
  });
});
