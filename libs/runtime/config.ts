import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';

const port = z.coerce.number().int().min(0).max(65535);

/**
 * The one place that reads the environment. Names carry their units; flags of the command line win over it.
 * Port 0 means any free port.
 */
const schema = z.object({
  STAGEWATCH_DATA: z.string().default('./stagewatch-data'),
  STAGEWATCH_HOST: z.string().default('127.0.0.1'),
  /** Where the commands that ask a running service find it. */
  STAGEWATCH_URL: z.string().default('http://127.0.0.1:7580'),
  /**
   * How people reach the page: what links begin with, and one more name that the HTTP doors answer to. The page stands at
   * the root of its host, so an address with a path of its own is refused.
   */
  STAGEWATCH_PUBLIC_URL: z
    .url({ protocol: /^https?$/, error: 'expected an http or https address' })
    .refine(isOrigin, 'expected scheme, host and port only, as in https://stagewatch.example')
    .transform((text) => new URL(text).origin)
    .optional(),
  STAGEWATCH_PORT_GRPC: port.default(7581),
  STAGEWATCH_PORT_HTTP: port.default(7580),
  STAGEWATCH_PORT_CLICKHOUSE: port.default(7582),
  STAGEWATCH_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  /** 0 keeps everything. */
  STAGEWATCH_KEEP_DAYS: z.coerce.number().min(0).default(0),
  /** Loopback and private webhook addresses are refused unless this says otherwise. */
  STAGEWATCH_ALERTS_ALLOW_PRIVATE: z.stringbool().default(false),
  /** Bearer token that every door asks for; required on any address other than loopback. */
  STAGEWATCH_TOKEN: z.string().min(16).optional(),
  STAGEWATCH_MAX_MESSAGE_BYTES: z.coerce
    .number()
    .int()
    .positive()
    .default(8 * 1024 * 1024),
  STAGEWATCH_MAX_BLOB_BYTES: z.coerce
    .number()
    .int()
    .positive()
    .default(16 * 1024 ** 3),
  STAGEWATCH_MAX_METRICS_PER_RUN: z.coerce.number().int().positive().default(2000),
  STAGEWATCH_MAX_STREAMS: z.coerce.number().int().positive().default(512),
  STAGEWATCH_BUS_COPY_EVERY_MS: z.coerce.number().int().positive().default(600_000),
  STAGEWATCH_LOST_AFTER_MS: z.coerce.number().int().positive().default(45_000),
  /** Of one look at a model of a stranger, before it is taken: seconds of computing. No more, since probes wait a minute. */
  STAGEWATCH_GRAPH_SECONDS: z.coerce.number().positive().max(20).default(20),
  STAGEWATCH_GRAPH_MEMORY_MIB: z.coerce.number().positive().default(1024),
  /** A ClickHouse server in place of the embedded one, with user and password: `http://user:password@host:8123`. */
  STAGEWATCH_CLICKHOUSE_URL: z.url({ protocol: /^https?$/, error: 'expected http://user:password@host:8123' }).optional(),
  /** Of the embedded ClickHouse, all that it does together. */
  STAGEWATCH_CLICKHOUSE_MEMORY_MIB: z.coerce.number().int().min(256).default(2048),
  STAGEWATCH_ENGINE_MEMORY_MIB: z.coerce.number().positive().default(2048),
  /** That measure at the same time; without it one on the CPU, and one for each graphics card in use. */
  STAGEWATCH_MEASURING_PROCESSES: z.coerce.number().int().min(1).max(64).optional(),
  STAGEWATCH_MEASURING_DEADLINE_MS: z.coerce.number().int().positive().default(600_000),
  STAGEWATCH_ENGINE_THREADS: z.coerce.number().int().positive().optional(),
  /** What measurements run on: a name that `doctor` lists, or the fastest of those that are found. */
  STAGEWATCH_EXECUTOR: z.string().default('auto'),
  /** Where `setup tfjs` builds tfjs-node; outside of the project, so that `npm ci` leaves it alone. */
  STAGEWATCH_TFJS_DIR: z.string().optional(),
  XDG_CACHE_HOME: z.string().optional(),
});

export interface Config {
  readonly dataDir: string;
  readonly host: string;
  readonly url: string;
  /** Origin without a slash at its end: `https://stagewatch.example`. */
  readonly publicUrl: string | undefined;
  readonly ports: { readonly grpc: number; readonly http: number; readonly clickhouse: number };
  readonly logLevel: string;
  readonly keepDays: number;
  readonly alertsAllowPrivate: boolean;
  readonly token: string | undefined;
  readonly limits: {
    readonly messageBytes: number;
    readonly blobBytes: number;
    readonly metricsPerRun: number;
    readonly streams: number;
  };
  readonly busCopyEveryMs: number;
  readonly lostAfterMs: number;
  /** Of one look at a model that a probe describes. */
  readonly graphs: { readonly computeMs: number; readonly memoryBytes: number };
  readonly clickhouse: { readonly url: string | undefined; readonly memoryBytes: number };
  readonly measuring: {
    readonly processes: number | undefined;
    /** Of one measurement, without the time in which other processes have the cores. */
    readonly deadlineMs: number;
  };
  readonly engine: {
    readonly memoryBytes: number;
    readonly threads: number | undefined;
    readonly executor: string;
    readonly tfjsDir: string;
  };
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** `overrides` win over the environment, which wins over `defaults`. */
export function readConfig(
  overrides: Environment = {},
  environment: Environment = process.env,
  defaults: Environment = {},
): Config {
  const given = Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined));
  const e = schema.parse({ ...defaults, ...environment, ...given });
  return {
    dataDir: resolve(e.STAGEWATCH_DATA),
    host: e.STAGEWATCH_HOST,
    url: e.STAGEWATCH_URL,
    publicUrl: e.STAGEWATCH_PUBLIC_URL,
    ports: { grpc: e.STAGEWATCH_PORT_GRPC, http: e.STAGEWATCH_PORT_HTTP, clickhouse: e.STAGEWATCH_PORT_CLICKHOUSE },
    logLevel: e.STAGEWATCH_LOG_LEVEL,
    keepDays: e.STAGEWATCH_KEEP_DAYS,
    alertsAllowPrivate: e.STAGEWATCH_ALERTS_ALLOW_PRIVATE,
    token: e.STAGEWATCH_TOKEN,
    limits: {
      messageBytes: e.STAGEWATCH_MAX_MESSAGE_BYTES,
      blobBytes: e.STAGEWATCH_MAX_BLOB_BYTES,
      metricsPerRun: e.STAGEWATCH_MAX_METRICS_PER_RUN,
      streams: e.STAGEWATCH_MAX_STREAMS,
    },
    busCopyEveryMs: e.STAGEWATCH_BUS_COPY_EVERY_MS,
    lostAfterMs: e.STAGEWATCH_LOST_AFTER_MS,
    graphs: { computeMs: e.STAGEWATCH_GRAPH_SECONDS * 1000, memoryBytes: e.STAGEWATCH_GRAPH_MEMORY_MIB * 1024 ** 2 },
    clickhouse: { url: e.STAGEWATCH_CLICKHOUSE_URL, memoryBytes: e.STAGEWATCH_CLICKHOUSE_MEMORY_MIB * 1024 ** 2 },
    measuring: { processes: e.STAGEWATCH_MEASURING_PROCESSES, deadlineMs: e.STAGEWATCH_MEASURING_DEADLINE_MS },
    engine: {
      memoryBytes: e.STAGEWATCH_ENGINE_MEMORY_MIB * 1024 ** 2,
      threads: e.STAGEWATCH_ENGINE_THREADS,
      executor: e.STAGEWATCH_EXECUTOR,
      tfjsDir: resolve(e.STAGEWATCH_TFJS_DIR ?? join(e.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'stagewatch/tfjs')),
    },
  };
}

function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return true; // The check before this one has said what is wrong.
  const { pathname, search, hash, username, password } = new URL(text);
  return pathname === '/' && `${search}${hash}${username}${password}` === '';
}
