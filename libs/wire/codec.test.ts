import { describe, expect, it } from 'vitest';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { codec, MalformedMessage } from './codec.js';
import { decodeEnvelope, encodeEnvelope, recordEnveloper } from './envelope.js';
import { generateTypes } from './generate-types.js';
import { protoDir } from './proto-root.js';
import { decodeRecordsMessage, encodeRecordsMessage } from './record-stream.js';

describe('codec', () => {
  it('fills defaults, keeps NaN, names enums', () => {
    const { encode, decode } = codec('AttachRunRequest');
    const message = decode(
      encode({
        instanceId: 'i',
        optimizer: { name: 'sgd', learningRate: Number.NaN, nesterov: true },
        loss: { kind: 'LOSS_KIND_CROSS_ENTROPY' },
        tags: { a: 'b' },
        joinAttempt: 0,
      }),
    );
    expect(message).toMatchObject({
      instanceId: 'i',
      name: '',
      batchSize: 0,
      optimizer: { name: 'sgd', learningRate: Number.NaN, nesterov: true, momentum: 0 },
      loss: { kind: 'LOSS_KIND_CROSS_ENTROPY', reduction: 'LOSS_REDUCTION_UNSPECIFIED', halved: false },
      tags: { a: 'b' },
      joinAttempt: 0,
    });
    expect(decode(encode({})).joinAttempt).toBeUndefined();
    expect(decode(encode({})).optimizer).toBeNull();
  });

  it.each([0, 1, 127, 128, 2 ** 31, 2 ** 32 + 5, Number.MAX_SAFE_INTEGER])('carries the integer %d exactly', (step) => {
    const { encode, decode } = codec('Record');
    expect(decode(encode({ step })).step).toBe(step);
    expect(decode(encode({ clientTimeMs: -step })).clientTimeMs).toBe(-step + 0);
    expect(decode(encode({ scalars: { steps: [step, 0, step] } })).scalars?.steps).toEqual([step, 0, step]);
  });

  it('refuses integers that a number cannot hold', () => {
    const tooLarge = codec('Record').encode({ step: 2 ** 53 });
    expect(() => codec('Record').decode(tooLarge)).toThrow(/9007199254740992 is larger than 2\^53/);
  });

  it('refuses unknown enum names when it writes', () => {
    expect(() => codec('LossConvention').encode({ kind: 'nonsense' as 'LOSS_KIND_CROSS_ENTROPY' })).toThrow(/not a LossKind/);
  });

  it('answers garbage with MalformedMessage', () => {
    expect(() => codec('Record').decode(Buffer.from('ffffffffffff', 'hex'))).toThrow(MalformedMessage);
    expect(() => decodeRecordsMessage(Buffer.from('120aff', 'hex'))).toThrow(MalformedMessage);
    expect(() => decodeRecordsMessage(Buffer.from('ffffffffffffffffffff', 'hex'))).toThrow(MalformedMessage);
  });

  it('agrees with the committed types', () => {
    const committed = readFileSync(join(protoDir(), '../libs/wire/generated/messages.ts'), 'utf8');
    expect(generateTypes()).toBe(committed);
  });
});

describe('records', () => {
  const record = codec('Record').encode({
    sequence: 3,
    step: 7,
    scalars: { names: ['loss.train'], nameIndex: [0, 0], steps: [6, 7], values: [Number.NaN, Number.NEGATIVE_INFINITY] },
  });

  it('keeps the bytes of each record, and embeds them in an envelope as they are', () => {
    const bytes = encodeRecordsMessage([record, codec('Record').encode({ sequence: 4, heartbeat: { queuedRecords: 2 } })]);
    const message = decodeRecordsMessage(bytes);
    if (message.kind !== 'batch') throw new Error(`got ${message.kind}`);
    expect(message.wireBytes).toBe(bytes.length);
    expect(message.records.map((r) => [r.record.sequence, r.record.step, r.record.body])).toEqual([
      [3, 7, 'scalars'],
      [4, 0, 'heartbeat'],
    ]);
    const header = { runId: 'r1', attempt: 1, rank: 0, receivedTimeMs: 1_700_000_000_000 };
    const enveloped = recordEnveloper(header)(message.records[0]!.bytes);
    expect(enveloped).toEqual(encodeEnvelope({ ...header, record: codec('Record').decode(record) }));
    expect(decodeEnvelope(enveloped)).toMatchObject({
      ...header,
      body: 'record',
      record: { body: 'scalars', scalars: { values: [Number.NaN, Number.NEGATIVE_INFINITY] } },
    });
  });

  it('tells hello from batch', () => {
    const hello = codec('StreamRecordsRequest').encode({ hello: { runId: 'r', attempt: 2, rank: 1, instanceId: 'x' } });
    expect(decodeRecordsMessage(hello)).toMatchObject({ kind: 'hello', hello: { runId: 'r', attempt: 2, rank: 1 } });
    expect(decodeRecordsMessage(Buffer.alloc(0)).kind).toBe('empty');
  });
});
