import { expect, it } from 'vitest';
import { errorBody, StagewatchError } from './errors.js';

it('errors - a caller sees code, field, value and what was expected', () => {
  const error = new StagewatchError('UNKNOWN_DTYPE', 'This dtype is not known.', {
    field: 'tensors[0].dtype',
    value: 'int3',
    expected: 'float32',
  });
  expect(errorBody(error)).toEqual({
    code: 'UNKNOWN_DTYPE',
    message: 'This dtype is not known.',
    field: 'tensors[0].dtype',
    value: 'int3',
    expected: 'float32',
  });
});

it('errors - a bug tells the caller nothing of the inside', () => {
  expect(errorBody(new Error('password is hunter2'))).not.toHaveProperty('message', expect.stringContaining('hunter2'));
  expect(errorBody('text')).toMatchObject({ code: 'INTERNAL' });
});
