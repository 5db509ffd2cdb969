import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FindingBody } from '#bus/messages.js';
import { packageRoot } from '#runtime/package-root.js';
import { line, type Recorder } from './recorder.js';

interface GoldenCase {
  readonly name: string;
  readonly rows: readonly (readonly [step: number, loss: number, sharpness: number, rate: number, threshold: number])[];
  readonly expected_events: readonly (readonly [step: number, stage: string, detail: string, onset?: number])[];
}

const stageOf: Readonly<Record<string, string>> = {
  TRANSIENT: 'transient',
  SATURATION: 'saturation',
  SHARPENING: 'sharpening',
  EOS: 'edge',
  LATE_DECLINE: 'late_decline',
};
const sentences: Readonly<Record<string, string>> = {
  transient: 'training begins in the transient',
  saturation: 'sharpness has settled: saturation',
  sharpening: 'sharpness rises steadily: progressive sharpening',
  edge: 'reached the edge of stability',
  late_decline: 'sharpness falls again: late decline',
};

export function goldenCase(name: string): GoldenCase {
  const { cases } = JSON.parse(readFileSync(join(packageRoot, 'test/golden/stage_streams.json'), 'utf8')) as {
    cases: readonly GoldenCase[];
  };
  const found = cases.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no golden run ${name}`);
  return found;
}

/** Plays a golden run into a store and a bus, row by row, as the analyzer would; `pause` is awaited after each. */
export async function playGolden(golden: GoldenCase, recorder: Recorder, pause: () => Promise<void>): Promise<void> {
  const last = golden.rows.at(-1)![0];
  await recorder.update({ plannedSteps: last, stage: 'unknown' });
  await recorder.instruments(
    { instrument: 'loss.probe', on: true, reason: '' },
    { instrument: 'gradient.norm', on: true, reason: '' },
    { instrument: 'sharpness', on: true, reason: '' },
    { instrument: 'edge.ratio', on: true, reason: '' },
    { instrument: 'accuracy.probe', on: false, reason: 'the loss is a mean squared error: there are no classes' },
    { instrument: 'loss.probe_val', on: false, reason: 'no val probe set was given' },
  );
  const events = [...golden.expected_events];
  let stage = 'unknown';
  for (const [step, loss, sharpness, rate, threshold] of golden.rows) {
    const measured = { source: 'analyzer' } as const;
    await recorder.series(
      line('loss.train', [step], [loss * (1 + 0.004 * Math.sin(step * 1.7))]),
      line('lr', [step], [rate]),
      line('loss.probe', [step], [loss], measured),
      line('sharpness', [step], [sharpness], { ...measured, bounds: [sharpness * 0.012] }),
      line('sharpness.threshold', [step], [threshold], measured),
      line('edge.ratio', [step], [sharpness / threshold], measured),
      line('gradient.norm', [step], [Math.sqrt(loss) * (0.3 + 0.1 * Math.sin(step / 90))], measured),
    );
    while (events.length > 0 && events[0]![0] <= step) {
      const [at, label, detail, onset = at] = events.shift()!;
      const to = stageOf[label] ?? 'unknown';
      const ratio = `, λ1 = ${(sharpness / threshold).toFixed(2)} × 2/η`;
      const finding: Pick<FindingBody, 'kind' | 'step' | 'text'> & Partial<FindingBody> = {
        kind: 'stage',
        step: at,
        onset,
        from: stage,
        to,
        ...(detail !== '' && { detail }),
        text: `step ${at}: ${sentences[to]}${to === 'edge' ? ratio : ''}`,
        evidence: { r: sharpness / threshold },
      };
      if (to === 'edge')
        await recorder.finding({
          kind: 'edge_crossed',
          step: at,
          text: `step ${at}: sharpness came to the stability threshold${ratio}`,
        });
      await recorder.finding(finding);
      await recorder.update({ stage: to, stageDetail: detail === 'at_edge' ? '' : detail });
      stage = to;
    }
    await recorder.update({ step });
    await pause();
  }
  await recorder.update({ status: 'finished' });
}
