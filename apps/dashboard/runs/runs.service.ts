import { Inject, Injectable } from '@nestjs/common';
import { decodeJson, encodeJson, waitingBucket, type MeasuringBody } from '#bus/messages.js';
import { StagewatchError } from '#runtime/errors.js';
import { sleep } from '#runtime/retry.js';
import type { RunRow } from '#store/rows.js';
import type { RunFilter, SeriesQuery } from '#store/store.js';
import type {
  FindingsAnswer,
  InstrumentsAnswer,
  RunAnswer,
  RunsAnswer,
  SeriesAnswer,
  SeriesNamesAnswer,
} from '../events/http.js';
import type { LiveHub } from '../live/live-hub.js';
import { LIVE_HUB, OPTIONS, type DashboardOptions } from '../options.js';
import { findingBody, instrumentBody, runBody, seriesBody } from './bodies.js';

const deletionWaitMs = 30_000;
const deletionPollMs = 100;

/** What is known of the runs. Each answer takes its cursor before it asks the store, so that nothing falls between the two. */
@Injectable()
export class RunsService {
  constructor(
    @Inject(OPTIONS) private readonly options: DashboardOptions,
    @Inject(LIVE_HUB) private readonly hub: LiveHub,
  ) {}

  async list(filter: RunFilter & { readonly limit: number }): Promise<RunsAnswer> {
    const cursor = this.hub.position;
    const [rows, measuring] = await Promise.all([this.options.store.runs(filter), this.measuring()]);
    const last = rows.length < filter.limit ? undefined : rows.at(-1);
    const runs = rows.map((row) => runBody(row, measuring.get(row.run)));
    return { cursor, runs, ...(last !== undefined && { next: `${last.createdMs}.${last.run}` }) };
  }

  async one(run: string): Promise<RunAnswer> {
    const cursor = this.hub.position;
    const [row, entry] = await Promise.all([this.row(run), this.options.bus.kv(waitingBucket).get(run)]);
    return { cursor, run: runBody(row, entry && decodeJson<MeasuringBody>(entry.value)) };
  }

  async findings(run: string): Promise<FindingsAnswer> {
    const cursor = this.hub.position;
    const [row, findings] = await Promise.all([this.row(run), this.options.store.findings(run)]);
    return { cursor, findings: findings.map((finding) => findingBody(finding, row)) };
  }

  async instruments(run: string): Promise<InstrumentsAnswer> {
    const cursor = this.hub.position;
    const { attempt } = await this.row(run);
    const rows = await this.options.store.instruments(run, attempt);
    return { cursor, attempt, instruments: rows.map(instrumentBody) };
  }

  async seriesNames(run: string): Promise<SeriesNamesAnswer> {
    const cursor = this.hub.position;
    await this.row(run);
    const names = await this.options.store.seriesNames(run);
    return { cursor, names: names.map(({ name, key, source, points }) => ({ name, key, source, points })) };
  }

  async series(query: SeriesQuery): Promise<SeriesAnswer> {
    const cursor = this.hub.position;
    return seriesBody(cursor, await this.options.store.series(query));
  }

  /** The analyzer removes the run and then its order; false when that takes longer than a caller waits. */
  async delete(run: string, signal: AbortSignal): Promise<boolean> {
    await this.row(run);
    const orders = this.options.bus.kv('deletions');
    await orders.put(run, encodeJson({ askedMs: Date.now() }));
    const deadline = Date.now() + (this.options.deletionWaitMs ?? deletionWaitMs);
    while ((await orders.get(run)) !== undefined) {
      if (Date.now() >= deadline || signal.aborted) return false;
      await sleep(deletionPollMs, signal);
    }
    return true;
  }

  /** Runs of which something is measured or waits for it. */
  private async measuring(): Promise<ReadonlyMap<string, MeasuringBody>> {
    const bodies = new Map<string, MeasuringBody>();
    for await (const { key, value } of this.options.bus.kv(waitingBucket).entries()) bodies.set(key, decodeJson(value));
    return bodies;
  }

  private async row(run: string): Promise<RunRow> {
    const row = await this.options.store.run(run);
    if (row !== undefined) return row;
    throw new StagewatchError('UNKNOWN_RUN', `There is no run ${run}.`, {
      field: 'run',
      value: run,
      expected: 'a run of GET /api/runs',
    });
  }
}
