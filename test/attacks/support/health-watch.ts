import { setTimeout as sleep } from 'node:timers/promises';

export interface HealthSeen {
  readonly answers: number;
  readonly p99Ms: number;
}

const everyMs = 20;

/** Asks the service again and again how it is, while something is done to it. */
export async function watchHealth<T>(
  url: string,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly health: HealthSeen }> {
  const tookMs: number[] = [];
  let over = false;
  const watch = (async () => {
    while (!over) {
      const begin = performance.now();
      const response = await fetch(`${url}/healthz`);
      await response.text();
      if (!response.ok) throw new Error(`/healthz answered ${response.status}`);
      tookMs.push(performance.now() - begin);
      await sleep(everyMs);
    }
  })();
  // Whoever looks at the answers hears of it; until then it is no unhandled one.
  watch.catch(() => undefined);
  try {
    const result = await work();
    over = true;
    await watch;
    const sorted = tookMs.toSorted((a, b) => a - b);
    return { result, health: { answers: sorted.length, p99Ms: sorted[Math.ceil(0.99 * sorted.length) - 1] ?? 0 } };
  } finally {
    over = true;
  }
}
