import { createInterface, type Interface } from 'node:readline';

/** What a test says to a job, as JSON in its first argument; the jobs in Python read the same. */
export interface JobOptions {
  readonly address: string;
  readonly steps: number;
  readonly name?: string;
  readonly learningRate?: number;
  readonly snapshotEvery?: number;
  readonly pauseMs?: number;
  /** Reads from standard input up to which step it may go, a line each; the end of the input sets it free. */
  readonly paced?: boolean;
  /** Trains without a probe. */
  readonly bare?: boolean;
  /** Logs NaN as its loss from this step on. */
  readonly nanFrom?: number;
  /** Ends as failed, with these words. */
  readonly failsWith?: string;
  /** Takes up this run as its next attempt. */
  readonly resumeRunId?: string;
  /** Where the probe keeps what its run is taken up with; by default a folder that goes with the test. */
  readonly secretFolder?: string;
  /** Python only: shifts the clock of the process by so many seconds. */
  readonly clockShiftSeconds?: number;
}

/** What a job says, a JSON line each: the run once it is known, each step when it is over, and the end. */
export type JobLine =
  | { readonly run: string | null }
  | { readonly step: number }
  | { readonly steps: number; readonly delivered: boolean };

export function say(line: JobLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** Up to which step the test allows the job to train. */
export class Allowance {
  private allowed = -1;
  private wake = (): void => undefined;
  private readonly lines: Interface | undefined;

  constructor(paced: boolean) {
    if (!paced) this.allowed = Number.POSITIVE_INFINITY;
    else {
      this.lines = createInterface({ input: process.stdin });
      this.lines.on('line', (line) => this.allow(Number(line)));
      this.lines.on('close', () => this.allow(Number.POSITIVE_INFINITY));
    }
  }

  async until(step: number): Promise<void> {
    while (step > this.allowed) await new Promise<void>((resolve) => (this.wake = resolve));
  }

  close(): void {
    this.lines?.close();
    process.stdin.destroy();
  }

  private allow(step: number): void {
    this.allowed = Math.max(this.allowed, step);
    this.wake();
  }
}
