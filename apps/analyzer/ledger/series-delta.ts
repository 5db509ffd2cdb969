import type { SeriesDelta } from '#bus/messages.js';
import { toJsonNumber } from '#math/json-number.js';
import type { ScalarRow } from '#store/rows.js';

/** Points of one line in one message. A page cannot show more in one frame, and reads the rest when it zooms. */
const maxPoints = 1000;

/** Rows as lines of a chart, steps ascending; long lines keep the extremes of each bucket. */
export function seriesDeltas(rows: readonly ScalarRow[]): readonly SeriesDelta[] {
  const lines = new Map<string, ScalarRow[]>();
  for (const row of rows) {
    const key = `${row.attempt}/${row.rank}/${row.name}`;
    const line = lines.get(key);
    if (line === undefined) lines.set(key, [row]);
    else line.push(row);
  }
  return Array.from(lines.values(), toDelta);
}

function toDelta(line: readonly ScalarRow[]): SeriesDelta {
  const points = thin(isAscending(line) ? line : [...line].sort((a, b) => a.step - b.step));
  const { name, attempt, rank } = line[0]!;
  return {
    name,
    key: '',
    attempt,
    rank,
    steps: points.map(({ step }) => step),
    values: points.map(({ value }) => toJsonNumber(value)),
    source: 'log',
  };
}

function isAscending(line: readonly ScalarRow[]): boolean {
  return line.every((row, i) => i === 0 || row.step >= line[i - 1]!.step);
}

function thin(line: readonly ScalarRow[]): readonly ScalarRow[] {
  if (line.length <= maxPoints) return line;
  const kept: ScalarRow[] = [];
  const buckets = maxPoints / 2 - 1;
  for (let i = 0; i < buckets; i++) {
    const bucket = line.slice(Math.floor((i * line.length) / buckets), Math.floor(((i + 1) * line.length) / buckets));
    for (const row of extremes(bucket)) kept.push(row);
  }
  // The newest point is what a reader looks at.
  const last = line.at(-1)!;
  if (kept.at(-1) !== last) kept.push(last);
  return kept;
}

/** Lowest and highest in their order; a point that is not a number counts as the extreme that it is. */
function extremes(bucket: readonly ScalarRow[]): readonly ScalarRow[] {
  const odd = bucket.find(({ value }) => !Number.isFinite(value));
  let low = 0;
  let high = 0;
  for (const [i, { value }] of bucket.entries()) {
    if (value < bucket[low]!.value) low = i;
    if (value > bucket[high]!.value) high = i;
  }
  const pair = odd === undefined ? [bucket[low]!, bucket[high]!] : [odd, bucket[high]!];
  const unique = pair[0] === pair[1] ? [pair[0]!] : pair;
  return unique.sort((a, b) => a.step - b.step);
}
