/** Whose PyTorch a job runs on: Debian's, or the newest 2 of the Python index. */
export type Torch = 'debian' | 'pypi';

/** What must be true of one run of a job. Everything that the job reported must be in ClickHouse, for every run. */
export interface RunTruth {
  /** `finished` unless it is said. */
  readonly status?: string;
  /** In the finding `failed`: the job's own message. */
  readonly message?: RegExp;
  /** Instruments that must be on, with a reading each. */
  readonly on?: readonly string[];
  /** Instruments that must be off, and why. */
  readonly off?: Readonly<Record<string, RegExp>>;
  /** Instruments that may be on; off, the reason must be this. */
  readonly onOr?: Readonly<Record<string, RegExp>>;
  /** Among the findings, each as `kind to-label detail`. */
  readonly found?: readonly RegExp[];
  /** Findings that are true of this job although they are false of the others (`neverFound`). */
  readonly mayFind?: readonly RegExp[];
  /** Not among the findings, beside `neverFound`. */
  readonly notFound?: readonly RegExp[];
  /** The stage that it ends in. */
  readonly endsIn?: RegExp;
  /** Constant Θ of the optimizer in use, in closed form. */
  readonly threshold?: number;
  /** So many of the values that the job itself prints must be in ClickHouse; all that are there must agree. */
  readonly compared?: Readonly<Record<string, number>>;
  /** Numbers of these names may be missing when that is said: of an instrument, in a finding, or on the job's terminal. */
  readonly leftOut?: { readonly names: RegExp; readonly said: RegExp };
  /** Must be said somewhere: of an instrument, in a finding, or on the job's terminal. */
  readonly said?: RegExp;
  readonly batchSize?: number;
  /** From this step on its sharpness may really decline; never, unless it is said. */
  readonly declinesFrom?: number;
}

/** Where the service is while the job runs. */
export type ServicePlan = 'there' | 'away at the start' | 'away at the end' | 'away';

export interface JobCase {
  readonly name: string;
  /** In `test/jobs/scripts`, or a path from the root of the project. */
  readonly script: string;
  readonly args?: readonly string[];
  /** Needs packages that only the index has. */
  readonly torch?: 'pypi';
  /** In the short part, which CI runs. */
  readonly short?: true;
  /** Sent once the job has reported so many steps. */
  readonly signal?: { readonly afterReports: number; readonly signal: NodeJS.Signals };
  readonly service?: ServicePlan;
  /** Exit code, or the signal that ended it. */
  readonly exit?: number | NodeJS.Signals;
  /** One, ended normally, unless it is said. */
  readonly runs?: readonly RunTruth[];
}

/** Findings that are false of every job here unless it says otherwise. */
export const neverFound: readonly RegExp[] = [
  /^lost /,
  // That snapshots of a fast job are left out, the newest kept, is true and said in this way; anything else is a loss.
  /^gap (?!.*\| step \d+: \d+ snapshots? left out \((stale_snapshots|memory)\)$)/,
  /^failed /,
  /^resumed /,
  /^dead_letter /,
  /^divergence_risk /,
  /^stage diverged/,
  /^early_phase (catapult|divergent)/,
];
