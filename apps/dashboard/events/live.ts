import type { FindingBody, InstrumentBody, RunBody, SeriesDelta } from '#bus/messages.js';
import type { ErrorBody } from '#runtime/errors.js';

export type { SeriesDelta } from '#bus/messages.js';

/** From the page. A socket has one subscription; a new one takes the place of the old. */
export interface SubscribeRequest {
  /** Chosen by the client and given back with each frame, so that frames of an earlier subscription are known. */
  readonly view: number;
  /** Everything about one run; without it, the rows of the list of runs. */
  readonly run?: string;
  /** Go on from here; without it, from now. */
  readonly cursor?: number;
  /** Of the answer that the cursor belongs to: cursors of another data folder mean nothing here. */
  readonly epoch?: string;
}

export type SubscribeAnswer =
  | {
      readonly ok: true;
      readonly view: number;
      readonly epoch: string;
      /** What comes after this position will be sent. */
      readonly cursor: number;
      /** False when a cursor was given that cannot be taken up: fetch the history again. */
      readonly resumed: boolean;
    }
  | { readonly ok: false; readonly error: ErrorBody };

/** What changed, merged over a quarter of a second. The client acknowledges each frame; who falls behind gets a reset. */
export interface Frame {
  readonly view: number;
  /** Everything up to this position has been sent. */
  readonly cursor: number;
  readonly runs?: readonly RunBody[];
  readonly deleted?: readonly string[];
  readonly series?: readonly SeriesDelta[];
  readonly findings?: readonly FindingBody[];
  readonly instruments?: readonly { readonly attempt: number; readonly instruments: readonly InstrumentBody[] }[];
}

export type ResetReason = 'cursor-too-old' | 'too-slow' | 'too-much';

/** The subscription has ended: subscribe again without a cursor and fetch the history. */
export interface ResetNotice {
  readonly view: number;
  readonly reason: ResetReason;
}

export interface ClientEvents {
  subscribe: (request: SubscribeRequest, answer: (answer: SubscribeAnswer) => void) => void;
  unsubscribe: () => void;
}

export interface ServerEvents {
  frame: (frame: Frame, received: () => void) => void;
  reset: (notice: ResetNotice) => void;
}
