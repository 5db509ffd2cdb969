/** Publishes as fast as it can and says what was acknowledged, until somebody kills it. Arguments: folder, salt. */
import { openLmdbBus } from '#bus/index.js';

const [path, salt] = process.argv.slice(2);
const bus = await openLmdbBus({ path: path! });
const group = await bus.group('records', 'counter', { leaseMs: 60_000, maxDeliveries: 1000 });
const body = Buffer.alloc(300, 5);

/** `ack` lines hold ids whose publish has resolved; `commit` lines hold the count that a resolved commit saved. */
function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function publisher(subject: string): Promise<never> {
  for (let i = 0; ; i++) {
    const ids = Array.from({ length: 1 + (i % 7) }, (_, k) => `${salt}.${i}.${k}`);
    await bus.publish(
      'records',
      ids.map((id) => ({ subject, id, body })),
    );
    say(`ack ${subject} ${ids.join(' ')}`);
  }
}

/** Its state is how many messages of the subject it has seen: it must come out right however often we are killed. */
async function counter(): Promise<never> {
  for (;;) {
    const lease = await group.take({ maxMessages: 20, maxBytes: 1_000_000, waitMs: 1000 });
    if (lease === undefined) continue;
    const before = lease.state === undefined ? 0 : Number(Buffer.from(lease.state).toString('utf8'));
    const count = before + lease.messages.length;
    await lease.commit(lease.messages.at(-1)!.position, Buffer.from(`${count}`));
    say(`commit ${lease.subject} ${count}`);
    await lease.release();
  }
}

say('ready');
await Promise.all([publisher('a'), publisher('b'), counter()]);
