import { StagewatchError } from '#runtime/errors.js';

/** A part has the whole name in one file name, which may have 255 bytes. */
const maxBytes = 240;
const allowed = /^[A-Za-z0-9._/-]+$/;
const partSuffix = '.part';

/** Names become paths below the root and nothing else. */
export function assertBlobName(name: string): void {
  const expected = `1 to ${maxBytes} of A-Z a-z 0-9 . _ - with single / between, no . or .. between them`;
  const refuse = (code: 'NAME_INVALID' | 'NAME_TOO_LONG'): never => {
    throw new StagewatchError(code, 'a blob cannot have this name', { field: 'name', value: name.slice(0, 100), expected });
  };
  if (name.length > maxBytes) refuse('NAME_TOO_LONG');
  if (!allowed.test(name)) refuse('NAME_INVALID');
  if (name.split('/').some((part) => part === '' || part === '.' || part === '..')) refuse('NAME_INVALID');
}

/** Answers the prefix without its slash. */
export function assertBlobPrefix(prefix: string): string {
  if (!prefix.endsWith('/')) throw new RangeError('a prefix ends in /');
  const folder = prefix.slice(0, -1);
  assertBlobName(folder);
  return folder;
}

export function partFile(name: string): string {
  return name.replaceAll('/', '~') + partSuffix;
}

/** The name that a part belongs to; undefined when the file is no part. */
export function nameOfPart(file: string): string | undefined {
  return file.endsWith(partSuffix) ? file.slice(0, -partSuffix.length).replaceAll('~', '/') : undefined;
}
