import { expect, it } from 'vitest';
import { encodeJson } from '#bus/messages.js';
import { codec } from '#wire/codec.js';
import { newMemory } from './memory.js';
import { decodeMemory, encodeMemory } from './saved-memory.js';

const attached = codec('AttachRunRequest').decode(codec('AttachRunRequest').encode({ name: 'a run' }));
const memory = newMemory(attached, 1, 5, {});

it('memory - comes back as it was saved', () => {
  expect(decodeMemory(encodeMemory(memory))).toEqual({ memory, migrated: false });
});

it('memory - what the version before saved is taken over, with the steps that waited', () => {
  const waiting = [
    { step: 4, readings: { sharpness: 2, lr: 0.1 }, measured: true },
    { step: 5, readings: { 'loss.train': 'nan' }, measured: false },
  ];
  const taken = decodeMemory(
    encodeJson({ ...memory, outstanding: undefined, leavingOut: undefined, version: 1, pending: { waiting, judged: 3 } }),
  );
  expect(taken).toEqual({
    migrated: true,
    memory: {
      ...memory,
      pending: {
        waiting: [
          { step: 4, logged: { sharpness: 2, lr: 0.1 }, measured: {}, taken: true, outstanding: [] },
          { step: 5, logged: { 'loss.train': 'nan' }, measured: {}, taken: false, outstanding: [] },
        ],
        closed: 3,
      },
    },
  });
});

it('memory - nothing is read into a state of another version', () => {
  for (const state of [{ ...memory, version: 3 }, {}, null, []]) expect(decodeMemory(encodeJson(state))).toBeUndefined();
});
