import type { SeriesNameBody } from '#dashboard/events/http.js';

export interface SeriesSpec {
  readonly name: string;
  readonly key: string;
  readonly label: string;
  readonly bounds?: boolean;
  readonly dashed?: boolean;
  /** Holds until another value is said: drawn as steps, not as a slope to the next one. */
  readonly stepped?: boolean;
}

export interface ChartSpec {
  readonly id: string;
  readonly title: string;
  readonly series: readonly SeriesSpec[];
  readonly reference?: { readonly value: number; readonly label: string };
  /** Instruments whose reason for being off is worth saying when there is nothing to draw. */
  readonly instruments?: readonly string[];
}

const maxLinesOfOne = 12;

/** What a job sets, and may say only when it changes it. */
const setByTheJob: ReadonlySet<string> = new Set(['lr', 'momentum', 'weight_decay', 'batch_size']);

const loss: readonly SeriesSpec[] = [
  { name: 'loss.train', key: '', label: 'train' },
  { name: 'loss.probe', key: '', label: 'probe' },
  { name: 'loss.val', key: '', label: 'val' },
  { name: 'loss.probe_val', key: '', label: 'probe val' },
];

const sharpness: readonly SeriesSpec[] = [
  { name: 'sharpness', key: '', label: 'λ1', bounds: true },
  { name: 'sharpness.preconditioned', key: '', label: 'λ1(P⁻¹H)', bounds: true },
  { name: 'sharpness.threshold', key: '', label: 'Θ', dashed: true, stepped: true },
];

const accuracy: readonly SeriesSpec[] = [
  { name: 'accuracy.train', key: '', label: 'train' },
  { name: 'accuracy.probe', key: '', label: 'probe' },
  { name: 'accuracy.val', key: '', label: 'val' },
  { name: 'accuracy.probe_val', key: '', label: 'probe val' },
];

const edge: readonly SeriesSpec[] = [{ name: 'edge.ratio', key: '', label: 'λ1 / Θ' }];
const gradient: readonly SeriesSpec[] = [{ name: 'gradient.norm', key: '', label: '‖g‖' }];

/**
 * The charts that every run has, in the order in which they are read. With `preconditioned` the optimizer's threshold is one of
 * λ1(P⁻¹H), and is never drawn against λ1 itself.
 */
export function mainCharts(names: readonly SeriesNameBody[], preconditioned: boolean): readonly ChartSpec[] {
  const known = new Set(names.filter(({ key }) => key === '').map(({ name }) => name));
  const having = (series: readonly SeriesSpec[], always: number): readonly SeriesSpec[] =>
    series.filter((one, i) => i < always || known.has(one.name));
  const [plain, metric, threshold] = sharpness as [SeriesSpec, SeriesSpec, SeriesSpec];
  const isCompared = !preconditioned || known.has('sharpness.preconditioned');
  const compared = preconditioned ? [metric, threshold] : [plain, threshold];
  const s = preconditioned ? 'λ1(P⁻¹H)' : 'λ1';
  return [
    { id: 'loss', title: 'Loss', series: having(loss, 1), instruments: ['loss.probe'] },
    isCompared
      ? {
          id: 'sharpness',
          title: `Sharpness ${s} against its threshold Θ`,
          series: having(compared, 1),
          instruments: [preconditioned ? 'sharpness.preconditioned' : 'sharpness'],
        }
      : { id: 'sharpness', title: 'Sharpness λ1', series: [plain], instruments: ['sharpness'] },
    {
      id: 'edge',
      title: `Edge ratio r = ${s} / Θ`,
      series: edge.map((one) => ({ ...one, label: `${s} / Θ` })),
      reference: { value: 1, label: 'edge' },
      instruments: ['edge.ratio'],
    },
    { id: 'gradient', title: 'Gradient norm', series: gradient, instruments: ['gradient.norm'] },
  ];
}

/** Everything else that was logged or measured: one chart a name, its keys as lines. */
export function otherCharts(names: readonly SeriesNameBody[]): readonly ChartSpec[] {
  const taken = new Set([...loss, ...sharpness, ...edge].map(({ name }) => name));
  const groups = new Map<string, SeriesSpec[]>();
  for (const { name, key } of names) {
    if (taken.has(name) || (name === 'gradient.norm' && key === '')) continue;
    const together = accuracy.some((one) => one.name === name) ? 'accuracy' : name;
    const group = groups.get(together) ?? [];
    if (group.length < maxLinesOfOne) {
      const label = together === 'accuracy' ? (accuracy.find((one) => one.name === name)?.label ?? name) : key || name;
      group.push({ name, key, label, ...(setByTheJob.has(name) && { stepped: true }) });
    }
    groups.set(together, group);
  }
  return [...groups]
    .sort(([a], [b]) => rankOf(a) - rankOf(b) || (a < b ? -1 : 1))
    .map(([name, series]) => ({ id: `series:${name}`, title: name === 'accuracy' ? 'Accuracy' : name, series }));
}

function rankOf(name: string): number {
  const first = ['accuracy', 'lr', 'update.norm', 'weight.norm'].indexOf(name);
  return first < 0 ? 100 : first;
}
