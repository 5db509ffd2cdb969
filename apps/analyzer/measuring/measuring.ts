import type { OutgoingMessage } from '#bus/bus.js';
import { encodeJson, type LiveBody, type MeasuringBody } from '#bus/messages.js';
import type { RunMemory } from '../judge/memory.js';
import type { OutstandingSnapshot } from '../judge/outstanding.js';
import { runBody } from '../judge/run-body.js';
import type { AnalyzerParts } from '../parts.js';
import { isWeather, outlast, Stopped } from '../weather.js';
import type { CadenceBrake } from './cadence-brake.js';
import { ExpectedSeconds } from './expected-seconds.js';
import { FairTurns } from './fair-turns.js';
import { measuredMessage } from './measured-message.js';
import { measureSnapshot, type MeasuringTools } from './measure-snapshot.js';
import { staleSnapshots } from './stale-snapshots.js';
import { WaitingRun } from './waiting-run.js';
import { WaitingRuns } from './waiting-runs.js';

export interface MeasuringParts extends Omit<AnalyzerParts, 'store' | 'config'>, MeasuringTools {
  readonly brake: CadenceBrake;
  /** A run whose snapshots will all be measured within this is not behind, and none of them is left out. */
  readonly patienceSeconds: number;
}

/** An error of ours at the same snapshot so often, and it counts as one that cannot be measured. */
const maxFailures = 5;
const retryDelayMs = 500;
/** Measurements that take longer than this are shown while they are under way. */
const shownAfterMs = 1000;

/**
 * Measures what the judge finds outstanding, and tells the log what became of it. Nothing waits for a measurement: runs wait
 * here, in memory, for a free place, without a lease. One snapshot of a run is measured at a time, and turns are fair by the
 * seconds that they take. Everything here follows from what the judge has committed, so a service that was killed begins the
 * same measurement from the same start again.
 */
export class Measuring {
  private readonly runs = new Map<string, WaitingRun>();
  private readonly turns = new FairTurns();
  private readonly expected = new ExpectedSeconds();
  private readonly waitingRuns: WaitingRuns;
  private underWay = 0;
  private closed = false;

  constructor(private readonly parts: MeasuringParts) {
    this.waitingRuns = new WaitingRuns(parts.bus);
  }

  /** Takes up what was outstanding when the service ended. */
  async start(memoryOf: (run: string) => Promise<RunMemory | undefined>): Promise<void> {
    for (const run of await this.waitingRuns.load()) {
      const memory = await memoryOf(run);
      if (memory === undefined || !isAwaiting(memory)) await this.waitingRuns.remove(run);
      else this.offer(run, memory);
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    const all = [...this.runs.values()];
    for (const waiting of all) waiting.abort();
    await Promise.all(all.flatMap(({ work }) => (work === undefined ? [] : [work.done])));
  }

  /**
   * Before the judge commits a memory, and when it has and what that one does not need is removed: what is left to do is in
   * durable storage in between.
   */
  async committing(run: string, memory: RunMemory): Promise<void> {
    if (leavesWork(memory)) await this.waitingRuns.write(run, this.body(run, memory));
  }

  async committed(run: string, memory: RunMemory): Promise<void> {
    if (!isAwaiting(memory)) await this.waitingRuns.remove(run);
  }

  /** The judge has come to this memory. */
  offer(run: string, memory: RunMemory): void {
    if (this.closed) return;
    let waiting = this.runs.get(run);
    if (memory.outstanding.snapshots.length === 0) {
      waiting?.take(memory);
      this.runs.delete(run);
      this.turns.rests(run);
      if (memory.status !== 'running') this.expected.forget(run);
      return;
    }
    if (waiting === undefined) this.runs.set(run, (waiting = new WaitingRun(run, memory)));
    else waiting.take(memory);
    this.leaveOutStale(waiting);
    this.begin();
  }

  /** The step that is measured now, and how many snapshots wait for their turn or are still on their way here. */
  body(run: string, memory: RunMemory): MeasuringBody {
    const under = this.runs.get(run)?.work?.snapshot;
    const { snapshots } = memory.outstanding;
    const isUnderWay = under !== undefined && snapshots.some(({ position }) => position === under.position);
    return { underWay: isUnderWay ? under.step : null, waiting: snapshots.length + memory.awaited.length - (isUnderWay ? 1 : 0) };
  }

  /** Stops work on a run, and forgets it. */
  async letGo(run: string): Promise<void> {
    const known = this.runs.get(run);
    this.runs.delete(run);
    known?.abort();
    await known?.work?.done;
    this.turns.forget(run);
    this.expected.forget(run);
    this.parts.trackers.forget(run);
    this.parts.brake.forget(run);
    await this.parts.attempts.forget(run);
    await this.waitingRuns.remove(run);
  }

  /** Fills the free places. */
  private begin(): void {
    while (!this.closed && this.underWay < this.parts.measurer.capacity) {
      const ready = [...this.runs.values()].flatMap((waiting) => {
        const snapshot = waiting.ready;
        return snapshot === undefined
          ? []
          : [{ waiting, snapshot, run: waiting.run, seconds: this.secondsOf(waiting, snapshot) }];
      });
      const next = this.turns.next(ready);
      const turn = ready.find(({ run }) => run === next);
      if (turn === undefined) return;
      this.work(turn.waiting, turn.snapshot);
    }
  }

  private secondsOf(waiting: WaitingRun, snapshot: OutstandingSnapshot): number {
    return this.expected.of(waiting.run, waiting.bytesOf(snapshot));
  }

  private work(waiting: WaitingRun, snapshot: OutstandingSnapshot): void {
    const controller = new AbortController();
    this.underWay++;
    const beganMs = performance.now();
    this.turns.began(waiting.run);
    const showing = setTimeout(() => this.show(waiting, snapshot), shownAfterMs);
    const done = this.measure(waiting, snapshot, controller.signal)
      .catch((error: unknown) => this.failed(waiting, snapshot, error, controller.signal))
      .finally(() => {
        clearTimeout(showing);
        this.turns.ended(waiting.run, (performance.now() - beganMs) / 1000);
        waiting.work = undefined;
        this.underWay--;
        this.begin();
      });
    waiting.work = { snapshot, beganMs, controller, done };
  }

  private async measure(waiting: WaitingRun, snapshot: OutstandingSnapshot, signal: AbortSignal): Promise<void> {
    const { run, memory } = waiting;
    const beganMs = performance.now();
    const message = await measureSnapshot(this.parts, run, memory, snapshot, signal);
    this.expected.took(run, waiting.bytesOf(snapshot), (performance.now() - beganMs) / 1000);
    await this.tell(waiting, [snapshot], message, signal);
    waiting.failures = 0;
    const { position, timeMs, step } = snapshot;
    this.parts.brake.measured({ run, position, timeMs }, step, waiting.memory);
  }

  /** What is not worth measuring any more is told to the log, which has the last word. */
  private leaveOutStale(waiting: WaitingRun): void {
    const { run, memory, leaving, work } = waiting;
    const underWaySeconds = work === undefined ? 0 : (performance.now() - work.beganMs) / 1000;
    const { patienceSeconds } = this.parts;
    const coldSeconds = patienceSeconds / 2;
    const seconds = Math.max(this.expected.atLeast(run, coldSeconds) ?? 0, underWaySeconds < coldSeconds ? 0 : underWaySeconds);
    if (seconds === 0) return;
    const turns = Math.max(1, this.runs.size / this.parts.measurer.capacity);
    const stale = staleSnapshots(
      waiting.waiting,
      seconds * turns,
      patienceSeconds,
      memory.checked !== null || work !== undefined,
    );
    if (stale.length === 0) return;
    const message = measuredMessage(run, memory.attempt, stale, { leftOut: 'newer snapshots waited' });
    const { logger, metrics } = this.parts;
    this.tell(waiting, stale, message, leaving.signal).then(
      () => {
        metrics.snapshotsLeftOut.inc(stale.length);
        logger.info({ run, snapshots: stale.length }, 'snapshots left out: measuring does not keep up');
      },
      (error: unknown) => {
        if (!leaving.signal.aborted) logger.error({ err: error, run }, 'cannot leave snapshots out');
      },
    );
  }

  private async tell(
    waiting: WaitingRun,
    snapshots: readonly OutstandingSnapshot[],
    message: OutgoingMessage,
    signal: AbortSignal,
  ): Promise<void> {
    const { bus, logger } = this.parts;
    waiting.tell(snapshots);
    try {
      await outlast('measured', () => bus.publish('records', [message]), signal, logger);
    } catch (error) {
      waiting.untell(snapshots);
      throw error;
    }
  }

  private async failed(waiting: WaitingRun, snapshot: OutstandingSnapshot, error: unknown, signal: AbortSignal): Promise<void> {
    if (error instanceof Stopped || signal.aborted) return;
    const { logger } = this.parts;
    const { run } = waiting;
    if (!isWeather(error)) waiting.failures++;
    logger.error({ err: error, run, step: snapshot.step, failures: waiting.failures }, 'measuring failed');
    if (waiting.failures >= maxFailures) {
      const reason = `measuring the snapshot of step ${snapshot.step} failed: ${error instanceof Error ? error.message : String(error)}`;
      const message = measuredMessage(run, waiting.memory.attempt, [snapshot], { failed: reason });
      try {
        return await this.tell(waiting, [snapshot], message, signal);
      } catch (refused) {
        if (signal.aborted) return;
        logger.error({ err: refused, run }, 'cannot say that a snapshot was not measured');
      }
    }
    const delayMs = retryDelayMs * Math.max(1, waiting.failures);
    waiting.isResting = true;
    setTimeout(() => {
      waiting.isResting = false;
      this.begin();
    }, delayMs).unref();
  }

  /** A long measurement is shown: the page says what is measured and how many wait. */
  private show(waiting: WaitingRun, snapshot: OutstandingSnapshot): void {
    const { run, memory } = waiting;
    const measuring = this.body(run, memory);
    const body: LiveBody = { kind: 'run', run: runBody(run, memory, measuring) };
    const message = { subject: run, id: `measuring.${snapshot.position}.${Date.now()}`, body: encodeJson(body) };
    Promise.all([this.waitingRuns.write(run, measuring, true), this.parts.bus.publish('live', [message])]).catch(
      (error: unknown) => {
        this.parts.logger.warn({ err: error, run }, 'cannot show that a measurement is under way');
      },
    );
  }
}

/** Something is to be done for the run, though no further message of the log may come. */
function leavesWork(memory: RunMemory): boolean {
  return isAwaiting(memory) || (memory.status !== 'running' && memory.garbage.length > 0);
}

/** Something is still to be measured: it is here, or announced. */
function isAwaiting({ outstanding, awaited }: RunMemory): boolean {
  return outstanding.snapshots.length + awaited.length > 0;
}
