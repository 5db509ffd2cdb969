import { createHash } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { House } from '#analyzer/testing/house.js';
import { SnapshotMeter } from '#analyzer/measure/snapshot-meter.js';
import { createProbeModel, loadModel, readProbeSet, writeNpz } from '#engine/index.js';
import { exportOnnx } from '#graph/index.js';
import { chebyshevTask } from '#lab/chebyshev.js';
import { descend } from '#lab/gradient-descent.js';
import { symmetricEigen } from '#math/jacobi-eigen.js';
import { newId } from '#runtime/ids.js';
import { crc32 } from '#wire/checksum.js';
import { encodeEnvelope } from '#wire/envelope.js';
import { packTensors } from '#wire/tensors.js';

const learningRate = 0.4;
const steps = 900;
const loss = { kind: 'mse', reduction: 'sum-outputs', halved: true } as const;

let house: House;
beforeEach(async () => {
  house = await House.open();
});
afterEach(() => house.close());

async function putBlob(name: string, bytes: Uint8Array): Promise<void> {
  const upload = await house.blobs.upload(name, bytes.length);
  await upload.write(0, bytes);
  await upload.commit(crc32(bytes));
  await upload.close();
}

async function putArtifact(bytes: Uint8Array): Promise<string> {
  const digest = createHash('sha256').update(bytes).digest('hex');
  await putBlob(`artifacts/${digest}`, bytes);
  return digest;
}

/** Every step at first, then geometric. */
function isDue(step: number, last: number): boolean {
  return step <= 20 || step >= last + Math.max(1, Math.floor(last * 0.04));
}

it('analyzer - a real training goes from its transient to the edge of stability, and λ1 is the true one', async () => {
  const task = chebyshevTask(4, 0);
  const onnx = exportOnnx(task.forward);
  const probe = writeNpz({
    x: { dtype: 'float32', shape: [task.examples, 1], data: task.x },
    y: { dtype: 'float32', shape: [task.examples, 1], data: task.y },
  });
  const parameters = task.forward.inputs.filter(({ role }) => role === 'parameter');
  const names = parameters.map(({ name }) => name);
  const graph = loadModel({ format: 'onnx', bytes: onnx, parameters: names, loss });
  const training = createProbeModel({ graph, probeSet: readProbeSet(probe), threads: 1 });

  const run = newId('r');
  const thetas = new Map<number, Float32Array>();
  let sequence = 0;
  const publish = (id: string, body: object): Promise<unknown> => {
    const envelope = { runId: run, attempt: 1, rank: 0, receivedTimeMs: Date.now(), ...body };
    return house.bus.publish('records', [{ subject: run, id, body: encodeEnvelope(envelope) }]);
  };
  const record = (step: number, body: object): Promise<unknown> =>
    publish(`1.0.${++sequence}`, { record: { sequence, step, ...body } });

  await publish('attach.1.0', {
    attached: {
      name: 'chebyshev',
      optimizer: { name: 'sgd', learningRate },
      loss: { kind: 'LOSS_KIND_MEAN_SQUARED_ERROR', reduction: 'LOSS_REDUCTION_SUM_OUTPUTS', halved: true },
    },
  });
  let last = 0;
  for await (const { step, loss, gradientNorm, theta } of descend(training, task.theta, { learningRate, steps })) {
    if (step === 0) {
      await publish('model', {
        model: {
          format: 'MODEL_FORMAT_ONNX',
          graphDigest: await putArtifact(onnx),
          parameters: names,
          train: { digest: await putArtifact(probe), examples: task.examples },
          referenceLoss: loss,
          referenceGradientNorm: gradientNorm,
        },
      });
    }
    if (isDue(step, last)) {
      last = step;
      thetas.set(step, theta);
      let at = 0;
      const { blob, layout } = packTensors(
        parameters.map(({ name, shape }) => {
          const size = shape.reduce<number>((product, dim) => product * Number(dim), 1);
          at += size;
          return { name, shape: shape.map(Number), data: theta.slice(at - size, at) };
        }),
      );
      await putBlob(`runs/${run}/snapshots/${step}`, blob);
      await record(step, {
        snapshot: { blob: `runs/${run}/snapshots/${step}`, tensors: layout, learningRate, reason: 'cadence' },
      });
    }
    await record(step, { scalars: { names: ['loss.train'], nameIndex: [0], steps: [step], values: [loss] } });
  }
  await training.close();
  await record(steps, { end: { status: 'finished' } });

  const measurer = new SnapshotMeter({ memoryBytes: 256 * 1024 ** 2, threads: 1 });
  const analyzer = house.analyzer({ measurer });
  await analyzer.start();
  await house.settled();
  await analyzer.close();

  const stages = house.store.rows('findings').flatMap(({ kind, to }) => (kind === 'stage' ? [to] : []));
  expect(stages[0]).toBe('transient');
  expect(stages.indexOf('edge')).toBeGreaterThan(stages.indexOf('sharpening'));
  expect(stages.at(-1)).toBe('edge');
  const off = house.store.rows('instruments').filter(({ on }) => !on);
  expect(off).toEqual([]);
  const readings = house.store.rows('readings').filter(({ key }) => key === '');
  const sharpness = readings.filter(({ name }) => name === 'sharpness');
  expect(sharpness.map(({ step }) => step)).toEqual([...thetas.keys()]);
  const tail = readings.filter(({ name, step }) => name === 'edge.ratio' && step > 700).map(({ value }) => value);
  expect(Math.abs(tail.reduce((a, b) => a + b) / tail.length - 1)).toBeLessThan(0.1);

  // The truth: every entry of the Hessian, in double precision.
  const exact = createProbeModel({ graph, probeSet: readProbeSet(probe), executor: 'reference' });
  for (const step of [0, sharpness.at(-30)!.step, sharpness.at(-1)!.step]) {
    const point = await exact.linearize(thetas.get(step)!);
    const size = exact.parameterCount;
    const basis = Array.from({ length: size }, (_, i) => Float32Array.from({ length: size }, (__, j) => (i === j ? 1 : 0)));
    const rows = await point.multiply(basis);
    await point.close();
    const top = Math.max(...symmetricEigen(size, (i, j) => rows[i]![j]!)!.values);
    const { value, bound } = sharpness.find((reading) => reading.step === step)!;
    expect(Math.abs(value / top - 1), `λ1 at step ${step}`).toBeLessThan(1e-3);
    expect(Math.abs(value - top)).toBeLessThanOrEqual(bound);
  }
  await exact.close();
});
