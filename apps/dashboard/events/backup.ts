import type { ErrorBody } from '#runtime/errors.js';

/** `POST /api/backup {folder}`: lines of JSON, as it goes on. */
export type BackupLine =
  | { readonly kind: 'progress'; readonly text: string }
  | { readonly kind: 'done'; readonly folder: string; readonly files: number; readonly bytes: number }
  | { readonly kind: 'failed'; readonly error: ErrorBody };
