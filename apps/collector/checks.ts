import { faultOfName, faultOfText } from '#runtime/plain-text.js';
import { StagewatchError, type ErrorCode, type ErrorDetail } from '#runtime/errors.js';

/** Limits of texts that this room itself sets; those that an operator may change are in the configuration. */
export const textLimits = {
  nameBytes: 200,
  keyLength: 64,
  tags: 64,
  classNames: 10_000,
  tensors: 20_000,
  reasonBytes: 200,
} as const;

export function refuse(code: ErrorCode, message: string, detail: ErrorDetail = {}): never {
  throw new StagewatchError(code, message, detail);
}

/** Ids and keys that become parts of names: never a dot, a slash or a space. */
const keyPattern = /^[A-Za-z0-9_-]+$/;

export function checkKey(value: string, field: string): void {
  if (value.length > textLimits.keyLength) {
    refuse('NAME_TOO_LONG', `${field} is too long`, {
      field,
      value,
      expected: `at most ${textLimits.keyLength} characters`,
    });
  }
  if (!keyPattern.test(value)) {
    refuse('NAME_INVALID', `${field} has characters that are not allowed`, {
      field,
      value,
      expected: 'characters of [A-Za-z0-9_-]',
    });
  }
}

/** A text that people see. */
export function checkText(value: string, field: string, maxBytes: number = textLimits.nameBytes): void {
  // A character has at least one byte: no need to count those of a text that is far too long.
  if (value.length > maxBytes || Buffer.byteLength(value) > maxBytes) {
    refuse('NAME_TOO_LONG', `${field} is too long`, { field, value: value.slice(0, 80), expected: `at most ${maxBytes} bytes` });
  }
  const expected = faultOfText(value);
  if (expected !== undefined) {
    refuse('NAME_INVALID', `${field} has control characters`, { field, value: JSON.stringify(value), expected });
  }
}

export function checkName(value: string, field: string, maxBytes: number = textLimits.nameBytes): void {
  if (value === '') refuse('NAME_INVALID', `${field} is empty`, { field, value, expected: 'a name' });
  checkText(value, field, maxBytes);
  const expected = faultOfName(value);
  if (expected !== undefined) {
    refuse('NAME_INVALID', `${field} shows nothing`, { field, value: JSON.stringify(value), expected });
  }
}
