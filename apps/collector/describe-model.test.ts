import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportOnnx, mlp } from '#graph/index.js';
import { sha256 } from '#wire/checksum.js';
import type { IngestClient } from '#wire/client.js';
import { writeNpz } from '#wire/npz.js';
import type { LossKind, ModelDescription } from '#wire/generated/messages.js';
import type { Input } from '#wire/codec.js';
import { startCollector, type TestCollector } from './testing/start-collector.js';
import { attach, refusal, upload, type Attached } from './testing/talk.js';

const parameters = ['layer1.weight', 'layer1.bias', 'layer2.weight', 'layer2.bias'];
const graph = Buffer.from(exportOnnx(mlp({ sizes: [3, 5, 2], activation: 'tanh' })));
const x = { shape: [4, 3], data: new Float32Array(12) };
const probeSets = {
  good: writeNpz({ x, y: { shape: [4], data: BigInt64Array.of(0n, 1n, 0n, 1n) } }),
  classTooHigh: writeNpz({ x, y: { shape: [4], data: BigInt64Array.of(0n, 1n, 2n, 1n) } }),
  tooFewLabels: writeNpz({ x, y: { shape: [3], data: BigInt64Array.of(0n, 1n, 1n) } }),
  wide: writeNpz({ x: { shape: [4, 4], data: new Float32Array(16) }, y: { shape: [4], data: new BigInt64Array(4) } }),
  noLabels: writeNpz({ x }),
  doubles: writeNpz({ x: { shape: [4, 3], data: new Float64Array(12) }, y: { shape: [4], data: new BigInt64Array(4) } }),
  targets: writeNpz({ x, y: { shape: [4, 2], data: new Float32Array(8) } }),
  noZip: Buffer.from('not a zip archive'),
};

describe('describing a model', () => {
  let service: TestCollector;
  let client: IngestClient;
  beforeAll(async () => {
    service = await startCollector();
    client = service.client();
  });
  afterAll(() => service.remove());

  const begin = (kind: LossKind = 'LOSS_KIND_CROSS_ENTROPY'): Promise<Attached> => attach(client, { loss: { kind } });
  const put = async (run: Attached, data: Buffer): Promise<string> => {
    await upload(client, { run, kind: 'BLOB_KIND_ARTIFACT', key: sha256(data), data });
    return sha256(data);
  };
  const describeModel = ({ runId, attempt, instanceId }: Attached, model: Input<ModelDescription>) =>
    client.describeModel({ runId, attempt, instanceId, model }, 10_000);
  const description = (train: Buffer): Input<ModelDescription> => ({
    format: 'MODEL_FORMAT_ONNX',
    graphDigest: sha256(graph),
    parameters,
    train: { digest: sha256(train), examples: 4 },
  });
  const stored = async (run: Attached) =>
    (await service.records()).filter(({ message }) => message.subject === run.runId && message.id.startsWith('model.'));

  it('asks for what is missing, then looks at it and passes it on once', async () => {
    const run = await begin();
    const fresh = Buffer.from(exportOnnx(mlp({ sizes: [3, 7, 2], activation: 'tanh' })));
    const model = { ...description(probeSets.good), graphDigest: sha256(fresh) };
    expect((await describeModel(run, model)).missingDigests).toEqual([sha256(fresh), sha256(probeSets.good)]);
    expect(await stored(run)).toHaveLength(0);
    await put(run, fresh);
    await put(run, probeSets.good);
    const answer = await describeModel(run, model);
    expect(answer).toEqual({ parameters, parameterCount: 3 * 7 + 7 + 7 * 2 + 2, missingDigests: [] });
    await describeModel(run, model);
    expect(await stored(run)).toMatchObject([{ envelope: { body: 'model', model: { graphDigest: sha256(fresh), val: null } } }]);
  });

  it.each([
    ['a class without an output', probeSets.classTooHigh, '2'],
    ['fewer labels than examples', probeSets.tooFewLabels, '[3]'],
    ['examples of another width', probeSets.wide, '[4, 4]'],
    ['no labels', probeSets.noLabels, 'x'],
    ['examples in double precision', probeSets.doubles, 'float64'],
    ['targets where classes belong', probeSets.targets, 'float32'],
    ['no archive', probeSets.noZip, undefined],
  ])('refuses a probe set with %s', async (_what, data, value) => {
    const run = await begin();
    await put(run, graph);
    await put(run, data);
    const told = await refusal(describeModel(run, description(data)));
    expect(told).toMatchObject({ code: 'PROBE_SET_MISMATCH', retryable: false, ...(value === undefined ? {} : { value }) });
    expect(told.expected).not.toBe('');
    expect(await stored(run)).toHaveLength(0);
  });

  it('refuses another number of examples than was said, and targets of another loss', async () => {
    const run = await begin();
    await put(run, graph);
    await put(run, probeSets.good);
    const lie = { ...description(probeSets.good), train: { digest: sha256(probeSets.good), examples: 5 } };
    expect(await refusal(describeModel(run, lie))).toMatchObject({ field: 'model.train.examples', value: '5', expected: '4' });
    const squared = await begin('LOSS_KIND_MEAN_SQUARED_ERROR');
    expect(await refusal(describeModel(squared, description(probeSets.good)))).toMatchObject({
      code: 'PROBE_SET_MISMATCH',
      value: 'int64',
    });
    await put(squared, probeSets.targets);
    expect((await describeModel(squared, description(probeSets.targets))).parameters).toEqual(parameters);
  });

  it('names the node of an op that is not known', async () => {
    const run = await begin();
    // The same file with another operator of the same length in its place.
    const odd = Buffer.from(graph.toString('latin1').replaceAll('Tanh', 'Wnah'), 'latin1');
    await put(run, odd);
    await put(run, probeSets.good);
    const told = await refusal(describeModel(run, { ...description(probeSets.good), graphDigest: sha256(odd) }));
    expect(told).toMatchObject({ code: 'UNKNOWN_OP', field: expect.stringMatching(/^node /) });
    expect(told.message).toContain('Wnah');
  });

  it('takes a GraphModel of tfjs with the weights that are listed', async () => {
    const node = (name: string, op: string, input: string[], attr: object = {}) => ({ name, op, input, attr });
    const shape = { shape: { dim: [{ size: '-1' }, { size: '3' }] } };
    const json = {
      format: 'graph-model',
      modelTopology: {
        node: [
          node('x', 'Placeholder', [], { dtype: { type: 'DT_FLOAT' }, shape }),
          ...['kernel', 'bias'].map((name) => node(name, 'Const', [])),
          node('product', 'MatMul', ['x', 'kernel']),
          node('y', 'BiasAdd', ['product', 'bias']),
        ],
      },
      weightsManifest: [
        {
          paths: ['weights.bin'],
          weights: [
            { name: 'kernel', shape: [3, 2], dtype: 'float32' },
            { name: 'bias', shape: [2], dtype: 'float32' },
          ],
        },
      ],
    };
    const run = await begin();
    const file = Buffer.from(JSON.stringify(json));
    await put(run, file);
    await put(run, probeSets.good);
    const given = { ...description(probeSets.good), format: 'MODEL_FORMAT_TFJS_LAYERS' as const, graphDigest: sha256(file) };
    expect(await describeModel(run, { ...given, parameters: ['bias', 'kernel'] })).toMatchObject({
      parameters: ['bias', 'kernel'],
      parameterCount: 8,
    });
    const told = await refusal(describeModel(run, { ...given, parameters: ['kernel'] }));
    expect(told).toMatchObject({ code: 'UNSUPPORTED_MODEL', field: 'node bias' });
  });

  it('refuses a file that is no model, a format that is none, and digests that are none', async () => {
    const run = await begin();
    await put(run, probeSets.noZip);
    await put(run, probeSets.good);
    const noModel = { ...description(probeSets.good), graphDigest: sha256(probeSets.noZip) };
    expect(await refusal(describeModel(run, noModel))).toMatchObject({ code: 'UNSUPPORTED_MODEL' });
    expect(await refusal(describeModel(run, { ...noModel, format: 'MODEL_FORMAT_UNSPECIFIED' }))).toMatchObject({
      field: 'model.format',
    });
    expect(await refusal(describeModel(run, { ...noModel, graphDigest: '../x' }))).toMatchObject({
      field: 'model.graph_digest',
      value: '../x',
    });
    expect(await refusal(describeModel(run, { ...noModel, train: null }))).toMatchObject({
      field: 'model.train.digest',
    });
    expect(await refusal(describeModel({ ...run, instanceId: 'stranger' }, noModel))).toMatchObject({ code: 'IDENTITY_IN_USE' });
  });
});
