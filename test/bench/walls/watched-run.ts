import { setTimeout as sleep } from 'node:timers/promises';
import { io } from 'socket.io-client';
import { codec } from '#wire/codec.js';
import type { Frame, SubscribeAnswer } from '#dashboard/events/live.js';
import { sqlRows, type ServiceProcess } from '../../support/service-process.js';
import { attachBenchRun } from '../support/load.js';

const paceMs = 100;
/** One number in so many is NaN: each begins an episode, and each episode is a finding. */
const nanEvery = 10;

/** What was seen of one run that only logs its loss. */
export interface Watched {
  readonly sent: number;
  readonly ackMs: readonly number[];
  /** From `step` to the finding on a live socket. */
  readonly findingMs: readonly number[];
  readonly nans: number;
  readonly rowsLost: number;
  readonly rowsTwice: number;
  readonly findingsLost: number;
}

/** Logs a number every tenth of a second until the deadline, then looks whether all of it is in ClickHouse. */
export async function watchRun(service: ServiceProcess, name: string, deadlineMs: number): Promise<Watched> {
  const { client, attached, instance } = await attachBenchRun(service.address, name);
  const run = attached.runId;
  const sentMs: number[] = [];
  const ackMs: number[] = [];
  const findingMs = new Map<number, number>();
  const page = await openPage(service.url, run, (step) => {
    if (!findingMs.has(step)) findingMs.set(step, performance.now() - sentMs[step]!);
  });
  const stream = client.streamRecords();
  let acknowledged = 0;
  let isOver = false;
  stream.on('data', ({ acknowledgement }) => {
    const sequence = acknowledgement?.sequence ?? 0;
    while (acknowledged < sequence) ackMs.push(performance.now() - sentMs[++acknowledged]!);
  });
  stream.on('error', (error) => isOver || console.error(name, error));
  stream.write({ hello: { runId: run, attempt: attached.attempt, rank: 0, instanceId: instance } });
  let sequence = 0;
  const startedMs = performance.now();
  while (performance.now() < deadlineMs) {
    sequence++;
    sentMs[sequence] = performance.now();
    stream.write({ serialized: [lossRecord(sequence)] });
    await sleep(Math.max(0, startedMs + sequence * paceMs - performance.now()));
  }
  const nans = Math.floor(sequence / nanEvery);
  await until(() => acknowledged === sequence && findingMs.size >= nans, 60_000);
  const stored = await untilStored(service, run, sequence, nans);
  isOver = true;
  stream.end();
  client.close();
  page.close();
  return { sent: sequence, ackMs, findingMs: [...findingMs.values()], nans, ...stored };
}

function lossRecord(sequence: number): Uint8Array {
  const value = sequence % nanEvery === 0 ? Number.NaN : 1 / sequence;
  const scalars = { names: ['loss.train'], nameIndex: [0], steps: [sequence], values: [value] };
  return codec('Record').encode({ sequence, step: sequence, clientTimeMs: Date.now(), scalars });
}

async function openPage(url: string, run: string, found: (step: number) => void): Promise<{ close(): void }> {
  const socket = io(url, { transports: ['websocket'] });
  socket.on('frame', (frame: Frame, received: () => void) => {
    for (const { kind, step } of frame.findings ?? []) if (kind === 'divergence_risk') found(step);
    received();
  });
  await new Promise<void>((resolve) => socket.on('connect', resolve));
  const answer = (await socket.emitWithAck('subscribe', { view: 1, run })) as SubscribeAnswer;
  if (!answer.ok) throw new Error(answer.error.message);
  return { close: () => socket.close() };
}

async function untilStored(
  service: ServiceProcess,
  run: string,
  sent: number,
  nans: number,
): Promise<Pick<Watched, 'rowsLost' | 'rowsTwice' | 'findingsLost'>> {
  let counted = { rows: 0, identities: 0, findings: 0 };
  const count = async (): Promise<boolean> => {
    try {
      const [row] = await sqlRows<Record<'rows' | 'identities' | 'findings', string>>(
        service,
        `SELECT count() AS rows, uniqExact(sequence) AS identities,
          (SELECT uniqExact(step) FROM findings WHERE run = '${run}' AND kind = 'divergence_risk') AS findings
        FROM scalars WHERE run = '${run}'`,
      );
      counted = { rows: Number(row!.rows), identities: Number(row!.identities), findings: Number(row!.findings) };
    } catch {
      // The door may be busy or away for a moment: asked again.
    }
    return counted.identities >= sent && counted.findings >= nans;
  };
  await until(count, 60_000);
  const { rows, identities, findings } = counted;
  return { rowsLost: sent - identities, rowsTwice: rows - identities, findingsLost: nans - findings };
}

async function until(satisfied: () => boolean | Promise<boolean>, timeoutMs: number): Promise<void> {
  for (const deadline = Date.now() + timeoutMs; !(await satisfied()) && Date.now() < deadline;) await sleep(50);
}
