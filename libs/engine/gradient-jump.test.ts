import { afterAll, describe, expect, it } from 'vitest';
import { attachLoss, mlp } from '#graph/index.js';
import { createRandom, normalVector } from '#math/random.js';
import { createProbeModel, type CompiledModel } from './create-probe-model.js';
import { gradientJump } from './gradient-jump.js';

const random = createRandom(4);
const opened: CompiledModel[] = [];
afterAll(async () => {
  for (const model of opened) await model.close();
});

function model(activation: 'tanh' | 'relu'): CompiledModel {
  const graph = attachLoss(mlp({ sizes: [6, 20, 20, 3], activation }), { kind: 'mse', reduction: 'mean-outputs', halved: false });
  const x = { dtype: 'float32', shape: [40, 6], data: normalVector(240, random) } as const;
  const y = { dtype: 'float32', shape: [40, 3], data: normalVector(120, random) } as const;
  const made = createProbeModel({ graph, probeSet: { x, y }, threads: 1 });
  opened.push(made);
  return made;
}

/** The first layer is initialised to zero, so that every unit of it stands where ReLU has its kink. */
function start(made: CompiledModel, zeroed: boolean): Float32Array {
  const theta = normalVector(made.parameterCount, random).map((x) => 0.4 * x);
  return zeroed ? theta.map((x, i) => (i < 6 * 20 + 20 ? 0 : x)) : theta;
}

describe('gradientJump', () => {
  it('is the jump where a zeroed layer stands under ReLU', async () => {
    const made = model('relu');
    expect(await gradientJump(made, start(made, true))).toBeGreaterThan(0.05);
  });

  it.each([
    ['tanh', true],
    ['tanh', false],
    ['relu', false],
  ] as const)('is 0 beside a kink and without one - %s, zeroed %s', async (activation, zeroed) => {
    const made = model(activation);
    for (let turn = 0; turn < 3; turn++) expect(await gradientJump(made, start(made, zeroed))).toBe(0);
  });
});
