import type { FindingBody, InstrumentBody, LiveBody, RunBody, SeriesDelta } from '#bus/messages.js';
import type { JsonNumber } from '#math/json-number.js';
import type { Frame } from '../events/live.js';

export type FrameContent = Omit<Frame, 'view' | 'cursor'>;

interface OpenSeries {
  readonly head: Pick<SeriesDelta, 'name' | 'key' | 'attempt' | 'rank' | 'source'>;
  readonly steps: number[];
  readonly values: JsonNumber[];
  bounds: JsonNumber[] | undefined;
}

/** What changed since the last frame: points are joined by line, of everything else the newest counts. */
export class DeltaBuffer {
  private readonly runs = new Map<string, RunBody>();
  private readonly deleted = new Set<string>();
  private readonly series = new Map<string, OpenSeries>();
  private readonly findings = new Map<string, FindingBody>();
  private readonly instruments = new Map<number, readonly InstrumentBody[]>();
  private size = 0;

  /** `rowsOnly` keeps what the list of runs shows. */
  constructor(private readonly rowsOnly: boolean) {}

  /** Points and other items that are held; the limit of a buffer counts these. */
  get items(): number {
    return this.size;
  }

  get empty(): boolean {
    return this.size === 0;
  }

  add(run: string, body: LiveBody): void {
    if (body.kind === 'run') {
      this.runs.set(run, body.run);
      this.size++;
    } else if (body.kind === 'deleted') {
      if (this.rowsOnly) this.runs.delete(run);
      else this.clear();
      this.deleted.add(run);
      this.size++;
    } else if (!this.rowsOnly) {
      if (body.kind === 'series') for (const delta of body.series) this.addSeries(delta);
      if (body.kind === 'finding') {
        this.findings.set(body.finding.id, body.finding);
        this.size++;
      }
      if (body.kind === 'instruments') {
        this.instruments.set(body.attempt, body.instruments);
        this.size++;
      }
    }
  }

  /** Takes everything out; undefined when there is nothing. */
  drain(): FrameContent | undefined {
    if (this.size === 0) return undefined;
    const content: FrameContent = {
      ...(this.runs.size > 0 && { runs: [...this.runs.values()] }),
      ...(this.deleted.size > 0 && { deleted: [...this.deleted] }),
      ...(this.series.size > 0 && { series: Array.from(this.series.values(), closeSeries) }),
      ...(this.findings.size > 0 && { findings: [...this.findings.values()] }),
      ...(this.instruments.size > 0 && {
        instruments: Array.from(this.instruments, ([attempt, instruments]) => ({ attempt, instruments })),
      }),
    };
    this.clear();
    return content;
  }

  private clear(): void {
    for (const held of [this.runs, this.deleted, this.series, this.findings, this.instruments]) held.clear();
    this.size = 0;
  }

  private addSeries(delta: SeriesDelta): void {
    const { name, key, attempt, rank, source } = delta;
    const id = `${name}\0${key}\0${attempt}\0${rank}`;
    let open = this.series.get(id);
    if (open === undefined) {
      open = { head: { name, key, attempt, rank, source }, steps: [], values: [], bounds: undefined };
      this.series.set(id, open);
    }
    if (delta.bounds !== undefined && open.bounds === undefined) open.bounds = open.steps.map(() => 'nan');
    for (let i = 0; i < delta.steps.length; i++) {
      open.steps.push(delta.steps[i]!);
      open.values.push(delta.values[i]!);
      open.bounds?.push(delta.bounds?.[i] ?? 'nan');
    }
    this.size += delta.steps.length;
  }
}

function closeSeries({ head, steps, values, bounds }: OpenSeries): SeriesDelta {
  return { ...head, steps, values, ...(bounds !== undefined && { bounds }) };
}
