import { describe, expect, it } from 'vitest';
import { codec, MalformedMessage } from './codec.js';
import { maxParts } from './count-parts.js';
import { decodeRecordsMessage, encodeRecordsMessage } from './record-stream.js';

describe('a message of very many parts', () => {
  it('is refused before it becomes as many objects: tensors of a snapshot', () => {
    const bytes = codec('Record').encode({ sequence: 1, snapshot: { tensors: Array.from({ length: maxParts }, () => ({})) } });
    expect(() => codec('Record').decode(bytes)).toThrow(MalformedMessage);
    expect(() => decodeRecordsMessage(encodeRecordsMessage([bytes]))).toThrow(`more than ${maxParts} parts`);
  });

  it('is refused: records, and tags of a run', () => {
    const records = Array.from({ length: maxParts + 1 }, () => new Uint8Array());
    expect(() => decodeRecordsMessage(encodeRecordsMessage(records))).toThrow(`more than ${maxParts} records`);
    const tags = Object.fromEntries(Array.from({ length: maxParts + 1 }, (_, i) => [String(i), '']));
    expect(() => codec('AttachRunRequest').decode(codec('AttachRunRequest').encode({ tags }))).toThrow(MalformedMessage);
  });

  it('is read where its size is in its numbers', () => {
    const values = Array.from({ length: 200_000 }, (_, i) => i);
    const scalars = { names: ['loss'], nameIndex: values.map(() => 0), steps: values, values };
    const record = codec('Record').decode(codec('Record').encode({ sequence: 1, step: 200_000, scalars }));
    expect(record.scalars?.values).toHaveLength(200_000);
  });
});
