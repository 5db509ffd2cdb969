import { afterAll, describe, expect, it } from 'vitest';
import { attachLoss, mlp } from '#graph/index.js';
import { createRandom, normalVector } from '#math/random.js';
import { checkProduct } from './check-product.js';
import { createProbeModel, type CompiledModel } from './create-probe-model.js';

const random = createRandom(4);
const opened: CompiledModel[] = [];
afterAll(async () => {
  for (const model of opened) await model.close();
});

function model(activation: 'tanh' | 'relu', kind: 'cross-entropy' | 'mse'): CompiledModel {
  const graph = attachLoss(mlp({ sizes: [6, 20, 20, 3], activation }), { kind, reduction: 'mean-outputs', halved: false });
  const x = { dtype: 'float32', shape: [40, 6], data: normalVector(240, random) } as const;
  const y =
    kind === 'mse'
      ? ({ dtype: 'float32', shape: [40, 3], data: normalVector(120, random) } as const)
      : ({ dtype: 'int64', shape: [40], data: BigInt64Array.from({ length: 40 }, () => BigInt(random.integer(3))) } as const);
  const made = createProbeModel({ graph, probeSet: { x, y }, threads: 1 });
  opened.push(made);
  return made;
}
const weights = (size: number) => normalVector(size, random).map((x) => 0.4 * x);

/** The same model with products, or gradients, that are off by a share. */
function wrong(made: CompiledModel, what: 'product' | 'gradient', share: number): CompiledModel {
  const off = (v: Float32Array): Float32Array => v.map((x) => x * (1 + share));
  const changed: Pick<CompiledModel, 'narrowed' | 'linearize'> = {
    narrowed: (n) => wrong(made.narrowed(n), what, share),
    linearize: async (theta) => {
      const point = await made.linearize(theta);
      return {
        loss: point.loss,
        gradient: what === 'gradient' ? off(point.gradient) : point.gradient,
        multiply: async (vs) => (await point.multiply(vs)).map((v) => (what === 'product' ? off(v) : v)),
        multiplyBlock: (block) => point.multiplyBlock(block),
        close: () => point.close(),
      };
    },
  };
  return new Proxy(made, {
    get: (target, name) => {
      const value: unknown = Reflect.get(name in changed ? changed : target, name, name in changed ? changed : target);
      return typeof value === 'function' ? (value.bind(name in changed ? changed : target) as unknown) : value;
    },
  });
}

describe('checkProduct', () => {
  it.each([
    ['tanh', 'cross-entropy'],
    ['tanh', 'mse'],
    ['relu', 'cross-entropy'],
    ['relu', 'mse'],
  ] as const)('is content with %s and %s, by far', async (activation, kind) => {
    const made = model(activation, kind);
    for (let turn = 0; turn < 3; turn++) {
      const check = await checkProduct(made, weights(made.parameterCount));
      expect(check).toMatchObject({ ok: true });
      expect(check.error).toBeLessThan(2e-4);
    }
  });

  it.each(['product', 'gradient'] as const)('sees a %s that is off by 0.8 %', async (what) => {
    const made = model('tanh', 'cross-entropy');
    const check = await checkProduct(wrong(made, what, 0.008), weights(made.parameterCount));
    expect(check.ok).toBe(false);
    expect(check.error).toBeGreaterThan(0.005);
    expect(check.reason).toMatch(what === 'product' ? /Hessian-vector product .* 0\.80 %/ : /gradient of the model/);
  });

  describe('of a network that is too large for the interpreter', () => {
    const onItsOwn = { maxOperations: 0 };

    it.each([
      ['tanh', 'cross-entropy'],
      ['relu', 'mse'],
    ] as const)('is content with %s and %s on differences of the executor itself', async (activation, kind) => {
      const made = model(activation, kind);
      for (let turn = 0; turn < 3; turn++) {
        const check = await checkProduct(made, weights(made.parameterCount), onItsOwn);
        expect(check).toMatchObject({ ok: true });
      }
    });

    it.each(['product', 'gradient'] as const)('still sees a %s that is off by 6 %', async (what) => {
      const made = model('tanh', 'cross-entropy');
      const check = await checkProduct(wrong(made, what, 0.06), weights(made.parameterCount), onItsOwn);
      expect(check).toMatchObject({ ok: false });
      expect(check.error).toBeGreaterThan(0.03);
    });
  });

  it('cannot say anything of weights that are not finite', async () => {
    const made = model('tanh', 'mse');
    const theta = weights(made.parameterCount);
    theta[5] = Number.NaN;
    expect(await checkProduct(made, theta)).toMatchObject({
      ok: false,
      error: Number.NaN,
      reason: expect.stringContaining('not finite'),
    });
  });

  it('looks beside a point where every unit sits on its kink', async () => {
    const made = model('relu', 'cross-entropy');
    expect(await checkProduct(made, new Float32Array(made.parameterCount))).toMatchObject({ ok: true });
  });
});
