import { describe, expect, it } from 'vitest';
import { attachLoss } from './attach-loss.js';
import { checkProbeSet } from './check-probe-set.js';
import { ProbeSetMismatch } from './errors.js';
import type { ProbeSetShape } from './graph.js';
import { mlp } from './networks.js';

const classes = attachLoss(mlp({ sizes: [4, 3], activation: 'tanh' }), {
  kind: 'cross-entropy',
  reduction: 'sum-outputs',
  halved: false,
});
const squares = (outputs: number) =>
  attachLoss(mlp({ sizes: [4, outputs], activation: 'tanh' }), { kind: 'mse', reduction: 'sum-outputs', halved: false });

const labelled: ProbeSetShape = {
  xShape: [10, 4],
  yShape: [10],
  yDtype: 'int64',
  minClass: 0,
  maxClass: 2,
  classNames: ['a', 'b', 'c'],
};
const measured: ProbeSetShape = { xShape: [10, 4], yShape: [10, 2], yDtype: 'float32' };

describe('checkProbeSet', () => {
  it.each([
    ['classes', classes, labelled],
    ['classes without names', classes, { ...labelled, classNames: [] }],
    ['targets', squares(2), measured],
    ['targets of one output as a list', squares(1), { ...measured, yShape: [10] }],
    ['one example', classes, { ...labelled, xShape: [1, 4], yShape: [1] }],
  ])('fits - %s', (_, training, set) => {
    expect(() => checkProbeSet(training, set)).not.toThrow();
  });

  it.each([
    ['x of another width', classes, { ...labelled, xShape: [10, 5] }, 'x', '[10, 5]'],
    ['x of another rank', classes, { ...labelled, xShape: [10, 2, 2] }, 'x', '[10, 2, 2]'],
    ['no examples', classes, { ...labelled, xShape: [0, 4], yShape: [0] }, 'x', '[0, 4]'],
    ['fewer labels than examples', classes, { ...labelled, yShape: [9] }, 'y', '[9]'],
    ['a class without an output', classes, { ...labelled, maxClass: 3 }, 'y', '3'],
    ['a negative class', classes, { ...labelled, minClass: -1 }, 'y', '-1'],
    ['floats as classes', classes, { ...labelled, yDtype: 'float32' }, 'y', 'float32'],
    ['classes as rows', classes, { ...labelled, yShape: [10, 3] }, 'y', '[10, 3]'],
    ['too few class names', classes, { ...labelled, classNames: ['a', 'b'] }, 'class names', '2'],
    ['classes for squared errors', squares(2), { ...measured, yDtype: 'int64', yShape: [10] }, 'y', 'int64'],
    ['targets of another width', squares(2), { ...measured, yShape: [10, 3] }, 'y', '[10, 3]'],
    ['a list for two outputs', squares(2), { ...measured, yShape: [10] }, 'y', '[10]'],
  ])('refused - %s', (_, training, set, field, value) => {
    expect(() => checkProbeSet(training, set)).toThrow(ProbeSetMismatch);
    expect(() => checkProbeSet(training, set)).toThrow(expect.objectContaining({ code: 'PROBE_SET_MISMATCH', field, value }));
  });
});
