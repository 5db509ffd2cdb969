/**
 * The ports against the disk under them: durable messages of the bus, bytes of the blobs. Rounds alternate between us
 * and the ceiling, so that a busy disk hits both alike; medians are shown.
 *
 *     npx tsc -p . && node dist/test/bench/ports.js [folder]
 */
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openFileBlobs } from '#blobs/index.js';
import { openLmdbBus } from '#bus/index.js';

const rounds = 5;
const mib = 1024 * 1024;
const messageBytes = 1024;
const perPublish = 500;
const publishers = 4;
const publishes = 25;
const chunkBytes = 2 * mib;
const blobBytes = 512 * mib;
const window = 8;
const outFolder = fileURLToPath(new URL('../../../test/bench/out/', import.meta.url));

interface Row {
  readonly name: string;
  readonly unit: string;
  readonly median: number;
  readonly best: number;
  /** Median of the ceiling measured in the same rounds. */
  readonly ceiling?: number;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

async function perSecond(amount: number, work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return amount / ((performance.now() - start) / 1000);
}

async function compare(
  name: string,
  unit: string,
  ours: (round: number) => Promise<number>,
  ceiling?: (round: number) => Promise<number>,
): Promise<Row> {
  const mine: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    mine.push(await ours(round));
    if (ceiling !== undefined) theirs.push(await ceiling(round));
  }
  const row = { name, unit, median: median(mine), best: Math.max(...mine) };
  return ceiling === undefined ? row : { ...row, ceiling: median(theirs) };
}

async function rawWrite(path: string, totalBytes: number, bytes: number): Promise<void> {
  const data = Buffer.alloc(bytes, 7);
  const file = await open(path, 'w');
  try {
    for (let at = 0; at < totalBytes; at += bytes) await file.write(data, 0, bytes, at);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rm(path);
}

async function busRows(folder: string): Promise<Row[]> {
  const bus = await openLmdbBus({ path: join(folder, 'bus') });
  const body = Buffer.alloc(messageBytes, 1);
  const raw = join(folder, 'raw');
  const group = await bus.group('records', 'bench');
  const publisher = async (round: number, subject: string): Promise<void> => {
    for (let i = 0; i < publishes; i++) {
      const message = (_: unknown, k: number) => ({ subject, id: `${round}.${i}.${k}`, body });
      await bus.publish('records', Array.from({ length: perPublish }, message));
    }
  };
  const total = publishers * publishes * perPublish;
  const batches = await compare(
    `publish, ${perPublish} × 1 KB a call, ${publishers} publishers`,
    'messages/s',
    (round) => perSecond(total, () => Promise.all(Array.from({ length: publishers }, (_, p) => publisher(round, `run${p}`)))),
    () => perSecond(total, () => rawWrite(raw, total * messageBytes, perPublish * publishers * messageBytes)),
  );
  let consumed = 0;
  const drain = await perSecond(total * rounds, async () => {
    for (;;) {
      const lease = await group.take({ maxMessages: 1000, maxBytes: 4 * mib, waitMs: 0 });
      if (lease === undefined) break;
      consumed += lease.messages.length;
      await lease.commit(lease.messages.at(-1)!.position, body);
      await lease.release();
    }
  });
  if (consumed !== total * rounds) throw new Error(`consumed ${consumed} of ${total * rounds}`);
  const singles = 300;
  const single = await compare(
    'publish, one 1 KB message a call, one by one',
    'messages/s',
    (round) =>
      perSecond(singles, async () => {
        for (let i = 0; i < singles; i++) await bus.publish('findings', [{ subject: 'one', id: `${round}.${i}`, body }]);
      }),
    () =>
      perSecond(singles, async () => {
        const file = await open(raw, 'w');
        for (let i = 0; i < singles; i++) {
          await file.write(body, 0, body.length, i * body.length);
          await file.datasync();
        }
        await file.close();
      }),
  );
  await bus.close();
  return [batches, { name: 'take 1000, commit with state, release', unit: 'messages/s', median: drain, best: drain }, single];
}

async function blobRows(folder: string): Promise<Row[]> {
  const blobs = await openFileBlobs({ path: join(folder, 'blobs') });
  const chunk = Buffer.alloc(chunkBytes, 7);
  const upload = async (name: string): Promise<void> => {
    const target = await blobs.upload(name, blobBytes);
    const underWay: Promise<void>[] = [];
    for (let at = 0; at < blobBytes; at += chunkBytes) {
      underWay.push(target.write(at, chunk));
      if (underWay.length >= window) await underWay.shift();
    }
    await Promise.all(underWay);
    await target.sync();
    await target.commit(target.crc32);
  };
  const row = await compare(
    `blob of ${blobBytes / mib} MiB in 2 MiB chunks`,
    'MB/s',
    async (round) => {
      const rate = await perSecond(blobBytes / 1e6, () => upload(`runs/bench/${round}`));
      await blobs.delete(`runs/bench/${round}`);
      return rate;
    },
    () => perSecond(blobBytes / 1e6, () => rawWrite(join(folder, 'raw'), blobBytes, chunkBytes)),
  );
  await blobs.close();
  return [row];
}

const folder = await mkdtemp(join(process.argv[2] ?? tmpdir(), 'stagewatch-bench-'));
try {
  const rows = [...(await busRows(folder)), ...(await blobRows(folder))];
  const shown = rows.map(({ name, unit, median, best, ceiling }) => ({
    what: name,
    unit,
    median: Math.round(median),
    best: Math.round(best),
    'raw write + fdatasync': ceiling === undefined ? '' : Math.round(ceiling),
    ratio: ceiling === undefined ? '' : (median / ceiling).toFixed(2),
  }));
  console.table(shown);
  await mkdir(outFolder, { recursive: true });
  await writeFile(join(outFolder, 'ports.json'), `${JSON.stringify({ node: process.version, rounds, rows }, undefined, 2)}\n`);
} finally {
  await rm(folder, { recursive: true, force: true });
}
