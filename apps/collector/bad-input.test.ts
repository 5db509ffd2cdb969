import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeGenericClientConstructor, credentials, Metadata } from '@grpc/grpc-js';
import type { IngestClient } from '#wire/client.js';
import type { Input } from '#wire/codec.js';
import type { Record as WireRecord, TensorLayout } from '#wire/generated/messages.js';
import { ingestService } from '#wire/service.js';
import { readRefusal, type Refusal } from '#wire/status.js';
import { startCollector, type TestCollector } from './testing/start-collector.js';
import { attach, refusal, Talk, upload, type Attached } from './testing/talk.js';

const maxMessageBytes = 256 * 1024;

describe('what bad input gets', () => {
  let service: TestCollector;
  let client: IngestClient;
  let run: Attached;
  let bystander: Talk;
  let said = 0;
  let blob = '';

  beforeAll(async () => {
    service = await startCollector({
      environment: {
        STAGEWATCH_MAX_MESSAGE_BYTES: String(maxMessageBytes),
        STAGEWATCH_MAX_METRICS_PER_RUN: '3',
        STAGEWATCH_MAX_BLOB_BYTES: '1000000',
        STAGEWATCH_MAX_STREAMS: '4',
      },
    });
    client = service.client();
    bystander = new Talk(client, await attach(client, { name: 'bystander' }));
  });
  beforeEach(async () => {
    run = await attach(client);
    blob = (await upload(client, { run, key: 'k', data: Buffer.alloc(24) })).at(-1)!.blob;
  });
  afterAll(() => service.remove());

  /** After each refusal: another stream goes on, the blamed run stored nothing of it, and the service is well. */
  const nobodyElseNoticed = async (stored: readonly string[]): Promise<void> => {
    await bystander.send({ sequence: ++said, step: said, heartbeat: {} }).untilAcknowledged(said);
    const ids = (await service.records()).filter(({ message }) => message.subject === run.runId).map(({ message }) => message.id);
    expect(ids).toEqual(stored);
  };

  const scalars = (names: string[]): Input<WireRecord> => ({
    sequence: 1,
    step: 1,
    scalars: { names, nameIndex: names.map((_, i) => i), steps: names.map(() => 1), values: names.map(() => 1) },
  });
  const tensor = (change: Partial<TensorLayout>): Input<WireRecord> => ({
    sequence: 1,
    step: 1,
    snapshot: { blob, tensors: [{ name: 'w', dtype: 'float32', shape: [2, 3], offset: 0, bytes: 24, ...change }] },
  });

  const badRecords: readonly (readonly [string, () => Input<WireRecord>, Partial<Refusal>])[] = [
    ['no body', () => ({ sequence: 1 }), { code: 'INVALID_ARGUMENT', field: 'batch.records[0]' }],
    ['sequence 0', () => ({ heartbeat: {} }), { code: 'SEQUENCE_BACKWARDS', field: 'batch.records[0].sequence', value: '0' }],
    [
      'bytes that do not match the shape',
      () => tensor({ shape: [2, 4] }),
      { code: 'SHAPE_MISMATCH', field: 'batch.records[0].snapshot.tensors[0].bytes', value: '24' },
    ],
    [
      'a tensor behind its blob',
      () => tensor({ offset: 4 }),
      { code: 'SHAPE_MISMATCH', field: 'batch.records[0].snapshot.tensors[0].offset' },
    ],
    [
      'an unknown dtype',
      () => tensor({ dtype: 'bfloat16' }),
      { code: 'UNKNOWN_DTYPE', value: 'bfloat16', expected: 'float32 or float64' },
    ],
    ['a shape beyond all memory', () => tensor({ shape: [2 ** 31, 2 ** 31, 2 ** 31] }), { code: 'SHAPE_MISMATCH' }],
    [
      'a sketch by an unknown method',
      () => ({ sequence: 1, step: 1, sketch: { method: 'guess', seed: 1, parameters: 10, values: [1] } }),
      { code: 'INVALID_ARGUMENT', field: 'batch.records[0].sketch.method', value: 'guess', expected: 'gaussian, count-sketch' },
    ],
    [
      'a sketch of more numbers than the gradient has',
      () => ({ sequence: 1, step: 1, sketch: { method: 'gaussian', seed: 1, parameters: 2, values: [1, 2, 3] } }),
      { code: 'SHAPE_MISMATCH', field: 'batch.records[0].sketch.values', value: '3' },
    ],
    [
      'a name longer than the limit',
      () => scalars(['é'.repeat(101)]),
      { code: 'NAME_TOO_LONG', field: 'batch.records[0].scalars.names[0]', expected: 'at most 200 bytes' },
    ],
    ['an empty name', () => scalars(['']), { code: 'NAME_INVALID' }],
    ['control characters in a name', () => scalars(['a\u0000b']), { code: 'NAME_INVALID' }],
    [
      'too many metrics',
      () => scalars(['a', 'b', 'c', 'd']),
      { code: 'TOO_MANY_METRICS', field: 'batch.records[0].scalars.names[3]', value: 'd' },
    ],
    [
      'columns of different length',
      () => ({ sequence: 1, scalars: { names: ['a'], nameIndex: [0], steps: [], values: [1] } }),
      { code: 'INVALID_ARGUMENT', field: 'batch.records[0].scalars' },
    ],
    [
      'a point without a name',
      () => ({ sequence: 1, scalars: { names: ['a'], nameIndex: [1], steps: [0], values: [1] } }),
      { code: 'INVALID_ARGUMENT', field: 'batch.records[0].scalars.name_index[0]' },
    ],
    [
      'a point newer than its record',
      () => ({ sequence: 1, step: 1, scalars: { names: ['a'], nameIndex: [0], steps: [2], values: [1] } }),
      { code: 'INVALID_ARGUMENT', field: 'batch.records[0].scalars.steps[0]' },
    ],
    [
      'path tricks in a blob name',
      () => ({
        sequence: 1,
        snapshot: {
          blob: `runs/${run.runId}/../../bus/data.mdb`,
          tensors: [{ name: 'w', dtype: 'float32', shape: [1], bytes: 4 }],
        },
      }),
      { code: 'NAME_INVALID' },
    ],
    [
      'a blob that was never uploaded',
      () => ({ sequence: 1, snapshot: { blob: `${blob}x`, tensors: [{ name: 'w', dtype: 'float32', shape: [1], bytes: 4 }] } }),
      { code: 'BLOB_MISSING', field: 'batch.records[0].snapshot.blob' },
    ],
    [
      'a gap that ends before it begins',
      () => ({ sequence: 1, gap: { firstSequence: 3, lastSequence: 2 } }),
      { code: 'INVALID_ARGUMENT', field: 'batch.records[0].gap.last_sequence' },
    ],
    [
      'an unknown end',
      () => ({ sequence: 1, end: { status: 'exploded' } }),
      { code: 'INVALID_ARGUMENT', field: 'batch.records[0].end.status', value: 'exploded' },
    ],
    ['a number beyond 2^53', () => ({ sequence: 1, step: 2 ** 60, heartbeat: {} }), { code: 'MALFORMED_MESSAGE' }],
  ];
  it.each(badRecords)('record: %s', async (_what, record, expected) => {
    const told = await new Talk(client, run).send(record()).ended;
    expect(told).toMatchObject({ ...expected, retryable: false });
    await nobodyElseNoticed(['attach.1.0']);
  });

  it('keeps and acknowledges what was good before the fault', async () => {
    const talk = new Talk(client, run).send({ sequence: 1, step: 5, heartbeat: {} }, { sequence: 2, step: 4, heartbeat: {} });
    expect(await talk.ended).toMatchObject({
      code: 'STEP_BACKWARDS',
      field: 'batch.records[1].step',
      value: '4',
      expected: '5 or more within one attempt',
    });
    expect(talk.acknowledged()).toBe(1);
    const later = new Talk(client, run).send({ sequence: 2, step: 4, heartbeat: {} });
    expect(await later.ended).toMatchObject({ code: 'STEP_BACKWARDS' });
    const back = new Talk(client, run).send({ sequence: 3, step: 5, heartbeat: {} }, { sequence: 2, step: 5, heartbeat: {} });
    expect(await back.ended).toMatchObject({ code: 'SEQUENCE_BACKWARDS', value: '2', expected: 'more than 3' });
    await nobodyElseNoticed(['attach.1.0', '1.0.1', 'gap.1.0.2-2', '1.0.3']);
  });

  const identities: readonly (readonly [string, (run: Attached) => object, Partial<Refusal>])[] = [
    ['an unknown run', () => ({ runId: 'r0000000000000000000000000x' }), { code: 'UNKNOWN_RUN', field: 'run_id' }],
    ['a path as a run', () => ({ runId: '../../etc/passwd' }), { code: 'UNKNOWN_RUN', value: '../../etc/passwd' }],
    [
      'an attempt that was not begun',
      () => ({ attempt: 2 }),
      { code: 'UNKNOWN_ATTEMPT', field: 'attempt', value: '2', expected: '1 to 1' },
    ],
    ['a rank that nobody has', () => ({ rank: 7 }), { code: 'NOT_FOUND', field: 'rank' }],
    [
      'an identity of another process',
      () => ({ instanceId: 'somebody-else' }),
      { code: 'IDENTITY_IN_USE', field: 'instance_id' },
    ],
    ['a path as an instance', () => ({ instanceId: 'a/../b' }), { code: 'NAME_INVALID', field: 'hello.instance_id' }],
  ];
  it.each(identities)('hello: %s', async (_what, change, expected) => {
    expect(await new Talk(client, { ...run, ...change(run) }).ended).toMatchObject(expected);
    await nobodyElseNoticed(['attach.1.0']);
  });

  it('hello: missing, or said twice', async () => {
    expect(await new Talk(client).send({ sequence: 1, heartbeat: {} }).ended).toMatchObject({
      code: 'INVALID_ARGUMENT',
      field: 'hello',
    });
    await nobodyElseNoticed(['attach.1.0']);
  });

  const attaches: readonly (readonly [string, () => object, Partial<Refusal>])[] = [
    ['no instance id', () => ({ instanceId: '' }), { code: 'NAME_INVALID', field: 'instance_id' }],
    ['a path as instance id', () => ({ instanceId: '../x' }), { code: 'NAME_INVALID', field: 'instance_id' }],
    ['a long instance id', () => ({ instanceId: 'x'.repeat(65) }), { code: 'NAME_TOO_LONG', expected: 'at most 64 characters' }],
    ['no name', () => ({ name: '' }), { code: 'NAME_INVALID', field: 'name' }],
    ['a name of white space', () => ({ name: ' \u00a0' }), { code: 'NAME_INVALID', field: 'name' }],
    ['a name that takes no room', () => ({ name: '\u200b\u2060' }), { code: 'NAME_INVALID', field: 'name' }],
    ['a name that turns its direction', () => ({ name: 'run\u202egnp' }), { code: 'NAME_INVALID', field: 'name' }],
    ['a project of white space', () => ({ project: '  ' }), { code: 'NAME_INVALID', field: 'project' }],
    ['a long name', () => ({ name: 'x'.repeat(201) }), { code: 'NAME_TOO_LONG', field: 'name', expected: 'at most 200 bytes' }],
    ['a long tag', () => ({ tags: { a: 'x'.repeat(201) } }), { code: 'NAME_TOO_LONG', field: 'tags["a"]' }],
    [
      'resuming an unknown run',
      () => ({ resumeRunId: 'r0000000000000000000000000x' }),
      { code: 'UNKNOWN_RUN', field: 'resume_run_id' },
    ],
    ['a live run of another job', () => ({ resumeRunId: run.runId }), { code: 'RUN_TAKEN', field: 'run_secret' }],
    ['a secret that can be guessed', () => ({ runSecret: 'hunter2' }), { code: 'INVALID_ARGUMENT', field: 'run_secret' }],
    [
      'joining an unknown attempt',
      () => ({ resumeRunId: run.runId, runSecret: run.runSecret, joinAttempt: 3 }),
      { code: 'UNKNOWN_ATTEMPT', field: 'join_attempt' },
    ],
    [
      'joining as a rank that is taken',
      () => ({ resumeRunId: run.runId, runSecret: run.runSecret, joinAttempt: 1 }),
      { code: 'IDENTITY_IN_USE', field: 'rank' },
    ],
  ];
  it.each(attaches)('attach: %s', async (_what, request, expected) => {
    expect(await refusal(attach(client, request()))).toMatchObject(expected);
    await nobodyElseNoticed(['attach.1.0']);
  });

  const uploads: readonly (readonly [string, object, Partial<Refusal>])[] = [
    ['a chunk whose CRC differs', { corrupt: 'chunk' }, { code: 'CHECKSUM_MISMATCH', field: 'chunk.crc32' }],
    ['a blob whose CRC differs', { corrupt: 'end' }, { code: 'CHECKSUM_MISMATCH', field: 'end.crc32' }],
    ['a chunk at a wrong offset', { corrupt: 'offset' }, { code: 'OFFSET_MISMATCH', field: 'chunk.offset' }],
    ['a path as key', { key: '../../../x' }, { code: 'NAME_INVALID', field: 'header.key' }],
    [
      'an artifact without its digest',
      { key: 'model', kind: 'BLOB_KIND_ARTIFACT' },
      { code: 'NAME_INVALID', field: 'header.key' },
    ],
    [
      'a blob over the limit',
      { data: Buffer.alloc(1_000_001) },
      { code: 'BLOB_TOO_LARGE', field: 'header.total_bytes', expected: 'at most 1000000' },
    ],
    ['a kind that is not known', { kind: 'BLOB_KIND_UNSPECIFIED' }, { code: 'INVALID_ARGUMENT', field: 'header.kind' }],
    [
      'a chunk over the limit',
      { data: Buffer.alloc(300_000), chunkBytes: maxMessageBytes },
      { code: 'MESSAGE_TOO_LARGE', field: 'chunk.data' },
    ],
  ];
  it.each(uploads)('upload: %s', async (_what, plan, expected) => {
    expect(await refusal(upload(client, { run, key: 'bad', data: Buffer.alloc(1000), ...plan }))).toMatchObject(expected);
    expect(await service.blobs.stat(`runs/${run.runId}/1.0/snapshots/bad`)).toBeUndefined();
    await nobodyElseNoticed(['attach.1.0']);
  });

  it('a message over the limit', async () => {
    const long = { sequence: 1, end: { status: 'finished', message: 'x'.repeat(maxMessageBytes + 100_000) } };
    expect(await new Talk(client, run).send(long).ended).toMatchObject({
      code: 'MESSAGE_TOO_LARGE',
      expected: expect.stringMatching(/at most \d+ bytes/),
    });
    await nobodyElseNoticed(['attach.1.0']);
  });

  it('protobuf garbage', async () => {
    const garbage = new Talk(client, run).raw([Buffer.from('ffffffffffffffffffffff', 'hex')]);
    expect(await garbage.ended).toMatchObject({ code: 'MALFORMED_MESSAGE' });
    const unary = new (makeGenericClientConstructor(
      { call: { ...ingestService()['AttachRun']!, requestSerialize: (bytes: Buffer) => bytes } },
      'x',
    ))(service.address, credentials.createInsecure());
    const told = await new Promise((resolve) => {
      const call = unary['call'] as (request: Buffer, metadata: Metadata, done: (error: unknown) => void) => void;
      call.call(unary, Buffer.from('0aff', 'hex'), new Metadata(), resolve);
    });
    expect(readRefusal(told)).toMatchObject({ code: 'MALFORMED_MESSAGE' });
    unary.close();
    await nobodyElseNoticed(['attach.1.0']);
  });

  it('too many streams, with a word when to come back', async () => {
    const open = await Promise.all([1, 2, 3].map(async () => new Talk(client, await attach(client)).until((a) => a.length > 0)));
    const told = await new Talk(client, run).ended;
    expect(told).toMatchObject({ code: 'TOO_MANY_STREAMS', retryable: true, expected: 'at most 4' });
    expect(told!.retryAfterMs).toBeGreaterThan(0);
    await Promise.all(open.map((talk) => talk.end()));
    await nobodyElseNoticed(['attach.1.0']);
  });
});
