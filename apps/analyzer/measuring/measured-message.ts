import type { OutgoingMessage } from '#bus/bus.js';
import { encodeEnvelope } from '#wire/envelope.js';
import type { MeasureResult } from '../measure/measurer.js';
import type { OutstandingSnapshot } from '../judge/outstanding.js';

export type MeasuredOutcome =
  | { readonly result: MeasureResult; readonly trackerBlob: string }
  | { readonly leftOut: string }
  | { readonly failed: string };

/**
 * What became of snapshots, as a message of the log. Its id holds the position of the first, so that what is measured again
 * after a crash is there once; its time is when that one was received.
 */
export function measuredMessage(
  run: string,
  attempt: number,
  snapshots: readonly OutstandingSnapshot[],
  outcome: MeasuredOutcome,
): OutgoingMessage {
  const first = snapshots[0]!;
  const positions = snapshots.map(({ position }) => position);
  return {
    subject: run,
    id: `measured.${first.position}`,
    body: encodeEnvelope({
      runId: run,
      attempt,
      rank: 0,
      receivedTimeMs: first.timeMs,
      measured:
        'result' in outcome ? { snapshots: positions, measurement: measurement(outcome) } : { snapshots: positions, ...outcome },
    }),
  };
}

function measurement({ result, trackerBlob }: Extract<MeasuredOutcome, { result: unknown }>): object {
  return {
    readings: result.readings,
    instruments: Object.entries(result.instruments).map(([instrument, state]) => ({ instrument, ...state })),
    trackerBlob,
    check: result.check,
  };
}
