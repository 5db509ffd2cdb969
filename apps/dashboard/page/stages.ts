import type { FindingBody } from '#dashboard/events/http.js';

/** Names for people; the colours of the same keys stand in `styles/theme.css`. */
export const stageNames: Readonly<Record<string, string>> = {
  unknown: 'Unknown',
  transient: 'Transient',
  saturation: 'Saturation',
  sharpening: 'Progressive sharpening',
  edge: 'Edge of stability',
  late_decline: 'Late decline',
  diverged: 'Diverged',
};

export const stageName = (stage: string): string => stageNames[stage] ?? stage;

export interface StageSpan {
  readonly stage: string;
  readonly detail: string;
  /** When it was declared. */
  readonly start: number;
  /** When it began, as seen afterwards; at most `start`. */
  readonly onset: number;
  /** Infinity while it lasts. */
  readonly end: number;
}

/** Which stage the run was in, along the path that training went on from. */
export function stageSpans(findings: readonly FindingBody[], starts: ReadonlyMap<number, number>): StageSpan[] {
  const declared = findings
    .filter((finding) => finding.kind === 'stage' && finding.to !== undefined && !isAbandoned(finding, starts))
    .sort((a, b) => a.attempt - b.attempt || a.step - b.step || a.timeMs - b.timeMs);
  const spans: StageSpan[] = [];
  for (const [i, { to, detail = '', step, onset }] of declared.entries()) {
    const end = declared[i + 1]?.step ?? Infinity;
    if (end <= step) continue;
    spans.push({ stage: to!, detail, start: step, onset: Math.min(onset, step), end });
  }
  return spans;
}

/** True when a later attempt took over before this step. */
export function isAbandoned(finding: FindingBody, starts: ReadonlyMap<number, number>): boolean {
  for (const [attempt, start] of starts) if (attempt > finding.attempt && start <= finding.step) return true;
  return false;
}
