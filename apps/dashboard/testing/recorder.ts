import {
  encodeJson,
  notMeasuring,
  type FindingBody,
  type InstrumentBody,
  type LiveBody,
  type RunBody,
  type SeriesDelta,
} from '#bus/messages.js';
import type { Bus } from '#bus/bus.js';
import { fromJsonNumber } from '#math/json-number.js';
import { newId } from '#runtime/ids.js';
import type { Store } from '#store/store.js';

/** Does to one run what the analyzer does: rows first, then the word on the stream `live`. */
export class Recorder {
  run: RunBody;
  private version = 0;
  private sequence = 0;

  constructor(
    private readonly bus: Bus,
    private readonly store: Store,
    run: Partial<RunBody> = {},
  ) {
    this.run = { ...emptyRun(run.createdMs ?? Date.now()), ...run };
  }

  async update(change: Partial<RunBody> = {}): Promise<void> {
    this.run = { ...this.run, seenMs: Date.now(), ...change };
    const { optimizer, loss, tags, ...rest } = this.run;
    const row = { ...rest, optimizer: JSON.stringify(optimizer), loss: JSON.stringify(loss), tags: JSON.stringify(tags) };
    await this.store.write('runs', [{ ...row, version: ++this.version }]);
    await this.tell([{ kind: 'run', run: this.run }]);
  }

  async series(...series: SeriesDelta[]): Promise<void> {
    const timeMs = Date.now();
    for (const delta of series) {
      const values = delta.values.map((value) => fromJsonNumber(value) ?? Number.NaN);
      const { name, key, attempt, rank, source } = delta;
      if (source === 'log') {
        const sequence = ++this.sequence;
        const rows = delta.steps.map((step, index) => ({ step, value: values[index]!, index }));
        await this.store.write(
          'scalars',
          rows.map((row) => ({ ...row, run: this.run.run, attempt, rank, sequence, name, timeMs })),
        );
        continue;
      }
      const cost = { products: 10, seconds: 0.01, device: 'cpu', probeDigest: '', timeMs };
      await this.store.write(
        'readings',
        delta.steps.map((step, i) => {
          const bound = fromJsonNumber(delta.bounds?.[i]) ?? Number.NaN;
          return { run: this.run.run, attempt, step, name, key, source, value: values[i]!, bound, ...cost };
        }),
      );
    }
    await this.tell([{ kind: 'series', series }]);
  }

  async finding(finding: Pick<FindingBody, 'kind' | 'step' | 'text'> & Partial<FindingBody>): Promise<void> {
    const body: FindingBody = {
      id: `${this.run.run}.${this.run.attempt}.${finding.kind}.${finding.step}.${finding.to ?? ''}`,
      run: this.run.run,
      attempt: this.run.attempt,
      onset: finding.step,
      provisional: false,
      severity: 'info',
      evidence: {},
      timeMs: Date.now(),
      runName: this.run.name,
      project: this.run.project,
      ...finding,
    };
    const { runName: _, project: __, evidence, from = '', to = '', detail = '', ...rest } = body;
    await this.store.write('findings', [{ ...rest, from, to, detail, evidence: JSON.stringify(evidence) }]);
    await this.tell([{ kind: 'finding', finding: body }]);
  }

  async instruments(...instruments: InstrumentBody[]): Promise<void> {
    const { run, attempt } = this.run;
    await this.store.write(
      'instruments',
      instruments.map((instrument) => ({ ...instrument, run, attempt, version: ++this.version })),
    );
    await this.tell([{ kind: 'instruments', attempt, instruments }]);
  }

  async deleted(): Promise<void> {
    await this.store.deleteRuns([this.run.run]);
    await this.tell([{ kind: 'deleted' }]);
  }

  private async tell(bodies: readonly LiveBody[]): Promise<void> {
    await this.bus.publish(
      'live',
      bodies.map((body) => ({ subject: this.run.run, id: newId('m'), body: encodeJson(body) })),
    );
  }
}

function emptyRun(createdMs: number): RunBody {
  return {
    run: newId('r', createdMs),
    name: 'a run',
    project: 'default',
    framework: 'numpy',
    attempt: 1,
    status: 'running',
    stage: 'unknown',
    stageDetail: '',
    step: 0,
    plannedSteps: 0,
    createdMs,
    seenMs: createdMs,
    optimizer: { name: 'sgd', learningRate: 0.4, momentum: 0, dampening: 0, nesterov: false },
    loss: { kind: 'mse', reduction: 'sum', halved: true },
    message: '',
    batchSize: 0,
    fullBatch: true,
    tags: {},
    measuring: notMeasuring,
  };
}

export function line(
  name: string,
  steps: readonly number[],
  values: SeriesDelta['values'],
  rest: Partial<SeriesDelta> = {},
): SeriesDelta {
  return { name, key: '', attempt: 1, rank: 0, source: 'log', steps, values, ...rest };
}
