import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { createProbeModel, type CompiledModel, type NpyArray } from '#engine/index.js';
import { GraphBuilder } from '#graph/builder.js';
import { add, matmul, tanh } from '#graph/emit.js';
import { attachLoss, type Graph } from '#graph/index.js';
import { symmetricEigen } from '#math/jacobi-eigen.js';
import { measureSnapshot, type OptimizerConstants, type SnapshotReadings } from '#instruments/index.js';

interface Golden {
  readonly init_float32: readonly number[];
  /** step, loss, grad_norm, lam1, lam2, lam3, lam_min, trace, gHg_over_gg; eigenvalues by a dense solver. */
  readonly runs: Readonly<Record<string, readonly (readonly number[])[]>>;
}

const golden = JSON.parse(readFileSync(new URL('chebyshev_eos.json', import.meta.url), 'utf8')) as Golden;
const learningRate = 0.4;
const gradientDescent: OptimizerConstants = {
  name: 'sgd',
  momentum: 0,
  dampening: 0,
  nesterov: false,
  beta1: 0,
  weightDecay: 0,
  decoupledDecay: false,
};

/** w2·tanh(w1·x + b1) with 100 hidden units and no bias of the output. */
function network(): Graph {
  const builder = new GraphBuilder();
  const parameter = (name: string, shape: readonly number[]) =>
    builder.input({ name, role: 'parameter', dtype: 'float32', shape });
  const [w1, b1, w2] = [parameter('w1', [1, 100]), parameter('b1', [100]), parameter('w2', [100, 1])];
  const x = builder.input({ name: 'x', role: 'data', dtype: 'float32', shape: ['batch', 1] });
  const value = matmul(builder, tanh(builder, add(builder, matmul(builder, x, w1), b1)), w2);
  return attachLoss(builder.build([{ name: 'prediction', value }]), { kind: 'mse', reduction: 'sum-outputs', halved: true });
}

function chebyshev(degree: number): { x: NpyArray; y: NpyArray } {
  const x = Float32Array.from({ length: 20 }, (_, i) => -1 + (2 * i) / 19);
  const y = Float32Array.from({ length: 20 }, (_, i) => Math.cos(degree * Math.acos(-1 + (2 * i) / 19)));
  return { x: { dtype: 'float32', shape: [20, 1], data: x }, y: { dtype: 'float32', shape: [20, 1], data: y } };
}

const opened: CompiledModel[] = [];
afterAll(async () => {
  for (const model of opened) await model.close();
});

const value = ({ readings }: SnapshotReadings, name: string, key = '') =>
  readings.find((reading) => reading.name === name && reading.key === key)!;

/** Gradient descent by the engine, measured at the given steps. */
async function* run(degree: number, steps: readonly number[]) {
  const model = createProbeModel({ graph: network(), probeSet: chebyshev(degree), threads: 1 });
  opened.push(model);
  const theta = Float32Array.from(golden.init_float32);
  let previous: SnapshotReadings['state'];
  let step = 0;
  for (const at of steps) {
    for (; step < at; step++) {
      const { gradient } = await model.gradient(theta);
      for (let i = 0; i < theta.length; i++) theta[i]! -= learningRate * gradient[i]!;
    }
    const measured = await measureSnapshot({ model, probeDigest: '', theta, learningRate, optimizer: gradientDescent, previous });
    previous = measured.state;
    yield { step, model, theta, measured };
  }
}

// Past these steps the run is unstable, and the rounding of float32 decides where it goes.
describe.each([
  [3, 'cheb3_lr0.4_f32', 180],
  [4, 'cheb4_lr0.4_f32', 440],
])('Chebyshev %i by gradient descent, step by step with the golden run', (degree, name, lastStep) => {
  it('has the loss, the gradient and the dense eigenvalues', async () => {
    const rows = golden.runs[name]!.filter(([step]) => step! <= lastStep);
    const steps = rows.map(([step]) => step!);
    let products = 0;
    for await (const { step, measured } of run(degree, steps)) {
      const [, loss, gradientNorm, first, second] = rows[steps.indexOf(step)]! as [number, number, number, number, number];
      expect(value(measured, 'loss.probe').value / loss).toBeCloseTo(1, 4);
      expect(value(measured, 'gradient.norm').value / gradientNorm).toBeCloseTo(1, 3);
      const sharpness = value(measured, 'sharpness');
      expect(Math.abs(sharpness.value - first) / first).toBeLessThan(1e-4);
      // Both runs are rounded, so the golden value itself is good to about 1e-5.
      expect(Math.abs(sharpness.value - first)).toBeLessThan(sharpness.bound + 1e-5 * first);
      const next = value(measured, 'curvature.top', '2');
      expect(Math.abs(next.value - second)).toBeLessThan(next.bound + 1e-3 * second);
      products += sharpness.products;
    }
    // Cold once, then 5 or 6 a measurement.
    expect(products / steps.length).toBeLessThan(8);
  });
});

describe('Chebyshev at the edge of stability', () => {
  it.each([3, 4])('degree %i: agrees with the dense Hessian of the same weights', async (degree) => {
    const steps = Array.from({ length: 51 }, (_, i) => 20 * i);
    for await (const { step, model, theta, measured } of run(degree, steps)) {
      if (step < 1000) continue;
      const point = await model.linearize(theta);
      const columns = await point.multiply(Array.from(theta, (_, j) => Float32Array.from(theta, (__, i) => (i === j ? 1 : 0))));
      const dense = symmetricEigen(theta.length, (i, j) => columns[j]![i]!)!.values;
      const sharpness = value(measured, 'sharpness');
      expect(Math.abs(sharpness.value - dense[0]!) / dense[0]!).toBeLessThan(3e-4);
      expect(Math.abs(sharpness.value - dense[0]!)).toBeLessThan(sharpness.bound + 1e-5);
      expect(value(measured, 'edge.ratio').value).toBeGreaterThan(0.85);
    }
  });
});
