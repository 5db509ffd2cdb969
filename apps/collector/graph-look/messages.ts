import type { ErrorBody } from '#runtime/errors.js';
import type { CheckedModel } from './check-model.js';

/** What is to be looked at. The bytes stay in their files; descriptions travel as the messages that they came as. */
export interface LookRequest {
  readonly id: number;
  /** A `ModelDescription`. */
  readonly model: Uint8Array;
  /** A `LossConvention`, where the run said which loss it steps on. */
  readonly loss: Uint8Array | undefined;
  readonly files: ModelFiles;
}

/** Paths of files that this machine has. */
export interface ModelFiles {
  readonly graph: string;
  readonly train: string;
  readonly val: string | undefined;
}

export type LookAnswer =
  | { readonly kind: 'taken'; readonly id: number; readonly checked: CheckedModel }
  | { readonly kind: 'refused'; readonly id: number; readonly body: ErrorBody }
  /** A fault of ours. */
  | { readonly kind: 'failed'; readonly id: number; readonly error: string };
