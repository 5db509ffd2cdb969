import type { Bus } from '#bus/bus.js';
import { encodeJson, type ControlBody } from '#bus/messages.js';
import type { Logger } from '#runtime/logging.js';
import type { RunMemory } from '../judge/memory.js';
import type { Cause } from '../judge/outcome.js';
import { wishBody } from '../judge/standing-wish.js';

/** A snapshot that waited longer than this for its measurement says that they come too fast. */
const lateMs = 20_000;
const caughtUpMs = 2_000;
const pauseMs = 10_000;
/** Snapshots for which it is asked for fewer; then the probe goes by its own schedule, which is sparse. */
const brakedFor = 100;

interface Braked {
  readonly everySteps: number;
  readonly askedMs: number;
}

/**
 * Asks a probe for fewer snapshots while they come faster than they can be measured, and for the detectors' own cadence
 * again afterwards. It looks at the clock, so it lives beside the judgement and never in it.
 */
export class CadenceBrake {
  private readonly braked = new Map<string, Braked>();
  private readonly steps = new Map<string, number>();

  constructor(
    private readonly bus: Bus,
    private readonly logger: Logger,
    private readonly now: () => number = Date.now,
  ) {}

  measured(cause: Cause, step: number, memory: RunMemory): void {
    const { run } = cause;
    const spacing = Math.max(1, step - (this.steps.get(run) ?? step));
    this.steps.set(run, step);
    const ageMs = this.now() - cause.timeMs;
    const known = this.braked.get(run);
    if (ageMs > lateMs && (known === undefined || this.now() - known.askedMs > pauseMs)) {
      const everySteps = Math.max(2 * spacing, 2 * (known?.everySteps ?? 1));
      this.braked.set(run, { everySteps, askedMs: this.now() });
      const untilStep = memory.step + brakedFor * everySteps;
      this.ask(cause, { kind: 'cadence', fromStep: memory.step, everySteps, factor: 1.1, untilStep, forMs: 6 * pauseMs });
    } else if (ageMs < caughtUpMs && known !== undefined) {
      this.braked.delete(run);
      if (memory.wish !== null) this.ask(cause, wishBody(memory.wish, memory.step));
    }
  }

  forget(run: string): void {
    this.braked.delete(run);
    this.steps.delete(run);
  }

  private ask({ run, position }: Cause, body: ControlBody): void {
    const message = { subject: run, id: `brake.${position}`, body: encodeJson(body) };
    this.bus.publish('control', [message]).catch((error: unknown) => {
      this.logger.warn({ err: error, run }, 'cannot ask for another cadence');
    });
  }
}
