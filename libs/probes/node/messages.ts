import type { AttachRunRequest, ModelFormat, TensorLayout } from '#wire/generated/messages.js';
import type { CadenceWish } from './cadence.js';

/** What the training side hands to the sender, which may live in another thread: plain data only. */
export type ToSender =
  | {
      readonly kind: 'points';
      readonly names: readonly string[];
      readonly nameIndex: readonly number[];
      readonly steps: readonly number[];
      readonly values: readonly number[];
      readonly step: number;
    }
  | {
      readonly kind: 'snapshot';
      readonly step: number;
      readonly blob: Uint8Array;
      readonly layout: readonly TensorLayout[];
      readonly learningRate: number;
      readonly reason: string;
    }
  | { readonly kind: 'lost'; readonly step: number; readonly points: number; readonly snapshots: number; readonly reason: string }
  | { readonly kind: 'end'; readonly step: number; readonly status: string; readonly message: string; readonly drainMs: number };

/** What the sender says. */
export type FromSender =
  | { readonly kind: 'attached'; readonly runId: string; readonly attempt: number; readonly pageUrl: string }
  | { readonly kind: 'warning'; readonly text: string }
  | { readonly kind: 'snapshot-now'; readonly reason: string }
  | { readonly kind: 'cadence'; readonly cadence: CadenceWish }
  /** Nothing more is wanted: the service said so, or refused the run. */
  | { readonly kind: 'off'; readonly reason: string }
  /** Snapshots would be useless: the model cannot be measured. */
  | { readonly kind: 'unmeasured'; readonly reason: string }
  | { readonly kind: 'ended'; readonly report: DrainReport };

/** What became of the last records. */
export interface DrainReport {
  /** Everything was acknowledged. */
  readonly delivered: boolean;
  /** Records that were not acknowledged when the time was up. */
  readonly undelivered: number;
}

export interface SenderModel {
  readonly format: ModelFormat;
  readonly graph: Uint8Array;
  readonly parameters: readonly string[];
  /** .npz files. */
  readonly train: SenderProbeSet;
  readonly val: SenderProbeSet | undefined;
  readonly referenceLoss: number | undefined;
  readonly referenceGradientNorm: number | undefined;
  readonly referenceStep: number;
}

export interface SenderProbeSet {
  readonly file: Uint8Array;
  readonly examples: number;
  readonly classNames: readonly string[];
}

export interface SenderOptions {
  readonly address: string;
  readonly token: string | undefined;
  readonly attach: Partial<AttachRunRequest> & { readonly instanceId: string; readonly name: string };
  readonly model: SenderModel | undefined;
  readonly memoryBytes: number;
  readonly spoolBytes: number;
  readonly spoolFolder: string;
  readonly secretFolder: string;
  readonly heartbeatMs: number;
  /** Longest pause between two tries to connect. */
  readonly maxRetryMs: number;
}
