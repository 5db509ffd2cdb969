import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { StagewatchError } from '#runtime/errors.js';
import type { Config } from '#runtime/config.js';
import type { Logger } from '#runtime/logging.js';
import type { Metrics } from '#runtime/metrics.js';
import { describeEnd } from '#runtime/processes/limited-process.js';
import { codec } from '#wire/codec.js';
import type { LossConvention, ModelDescription } from '#wire/generated/messages.js';
import { BoundedLine } from './bounded-line.js';
import type { CheckedModel } from './check-model.js';
import { LookProcess, type Looked } from './look-process.js';
import type { ModelFiles } from './messages.js';

export interface GraphLookerOptions {
  readonly limits: Config['graphs'];
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** For tests: another program. */
  readonly file?: string;
}

const mib = 1024 ** 2;
/** A look reads the whole file, and copies weights that do not lie where numbers of four bytes may. */
const memoryPerFileByte = 2.5;
const memoryBesideFileBytes = 512 * mib;
/** A process that waits costs 100 MiB, and 200 ms to start. */
const idleMs = 60_000;
const lineOptions = { maxWaiting: 8, maxWaitMs: 15_000 } as const;
/** A death without a reason of its own may have been somebody else's fault once. */
const maxDeaths = 2;

/**
 * Has models of strangers looked at in a process of its own, one at a time, under a limit of time and of memory, so that
 * nothing that a model asks for is noticed by anybody but who sent it.
 */
export class GraphLooker {
  private readonly line = new BoundedLine(lineOptions);
  private process: LookProcess | undefined;
  private idle: NodeJS.Timeout | undefined;
  private closed = false;
  private ids = 0;

  constructor(private readonly options: GraphLookerOptions) {}

  /** Throws a StagewatchError that says what is wrong with the model. */
  async look(model: ModelDescription, loss: LossConvention | null, files: ModelFiles): Promise<CheckedModel> {
    const leave = await this.line.enter();
    clearTimeout(this.idle);
    const end = this.options.metrics.graphLookSeconds.startTimer();
    try {
      return await this.lookNow(model, loss, files);
    } finally {
      end();
      leave();
      this.rest();
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.idle);
    await this.process?.stop('the service is closing');
  }

  private async lookNow(model: ModelDescription, loss: LossConvention | null, files: ModelFiles): Promise<CheckedModel> {
    const { limits, metrics } = this.options;
    const { size } = await stat(files.graph);
    const memoryBytes = Math.max(limits.memoryBytes, memoryPerFileByte * size + memoryBesideFileBytes);
    const question = {
      model: codec('ModelDescription').encode(model),
      loss: loss === null ? undefined : codec('LossConvention').encode(loss),
      files,
    };
    for (let deaths = 0; ;) {
      if (this.closed) throw new StagewatchError('UNAVAILABLE', 'the service is closing', { retryAfterMs: 500 });
      const process = await this.processWith(memoryBytes, dirname(files.graph));
      const looked = await process.ask({ id: ++this.ids, ...question }, limits.computeMs);
      metrics.graphLooks.inc({ outcome: outcomeOf(looked) });
      if (looked.kind === 'ended' && !this.closed && looked.end.kind !== 'memory' && ++deaths < maxDeaths) continue;
      if (looked.kind === 'taken') return looked.checked;
      throw this.refusalOf(looked, size, memoryBytes);
    }
  }

  /** The process that waits, if it has room for this one. */
  private async processWith(memoryBytes: number, folder: string): Promise<LookProcess> {
    const { process } = this;
    if (process?.isFresh === true && process.memoryBytes === memoryBytes && process.folder === folder) return process;
    await process?.stop('a new one takes its place');
    const { logger, file } = this.options;
    return (this.process = new LookProcess({ memoryBytes, folder, logger, file }));
  }

  private rest(): void {
    if (this.closed) return;
    this.idle = setTimeout(() => void this.process?.stop('nobody asked for a while'), idleMs);
    this.idle.unref();
  }

  private refusalOf(looked: Exclude<Looked, { kind: 'taken' }>, bytes: number, memoryBytes: number): StagewatchError {
    const { computeMs } = this.options.limits;
    const [seconds, memory] = [`${computeMs / 1000} s`, `${Math.round(memoryBytes / mib)} MiB`];
    const tooMuch = (problem: string): StagewatchError =>
      new StagewatchError('UNSUPPORTED_MODEL', problem, {
        field: 'model.graph_digest',
        value: `${bytes} bytes`,
        expected: `a model that can be looked at in ${seconds} and ${memory}; export it without what it does not need`,
      });
    switch (looked.kind) {
      case 'refused': {
        const { code, message, ...detail } = looked.body;
        return new StagewatchError(code, message, detail);
      }
      case 'late':
        return tooMuch(`looking at the model took more than ${seconds} of computing`);
      case 'starved':
        return new StagewatchError('UNAVAILABLE', 'the machine had no time to look at the model', { retryAfterMs: 10_000 });
      case 'failed':
        this.options.logger.error({ error: looked.error }, 'looking at a model failed');
        return new StagewatchError('INTERNAL', 'looking at the model failed; the service log has the details');
      case 'ended':
      default:
        if (this.closed) return new StagewatchError('UNAVAILABLE', 'the service is closing', { retryAfterMs: 500 });
        this.options.logger.warn({ end: describeEnd(looked.end) }, 'the process that looked at a model ended');
        if (looked.end.kind === 'memory') return tooMuch(`looking at the model took more than ${memory}`);
        return tooMuch(`the model ended the process that looked at it, twice: ${describeEnd(looked.end)}`);
    }
  }
}

function outcomeOf(looked: Looked): string {
  return looked.kind === 'ended' && looked.end.kind === 'memory' ? 'memory' : looked.kind;
}
