/** Writes as fast as it can and says what was acknowledged, until somebody kills it. Arguments: folder, first sequence. */
import { openEmbeddedStore } from '#store/index.js';
import { scalar } from './store-rows.js';

const [path, from] = process.argv.slice(2);
const store = await openEmbeddedStore({ path: path! });

/** Waits until the line has left the process: what was said must have been said when the kill comes. */
function say(line: string): Promise<void> {
  return new Promise((resolve) => process.stdout.write(`${line}\n`, () => resolve()));
}

async function writer(rank: number): Promise<never> {
  for (let sequence = Number(from); ; sequence += 50) {
    const rows = Array.from({ length: 50 }, (_, i) => scalar('crash', sequence + i, i, { rank }));
    // Half of the rows come twice, as they do when a probe or the bus repeats itself.
    await Promise.all([store.write('scalars', rows), store.write('scalars', rows.slice(25))]);
    await say(`${rank} ${sequence} ${sequence + 49}`);
  }
}

await say('ready');
await Promise.all([writer(0), writer(1)]);
