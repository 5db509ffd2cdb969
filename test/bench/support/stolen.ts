import { readFileSync } from 'node:fs';

/** Times of all processors since the machine started, in ticks: what the host took for others, and everything. */
interface Times {
  readonly stolen: number;
  readonly all: number;
}

function times(): Times {
  const fields = readFileSync('/proc/stat', 'latin1').split('\n')[0]!.trim().split(/\s+/).slice(1, 9).map(Number);
  return { stolen: fields[7]!, all: fields.reduce((sum, one) => sum + one, 0) };
}

/** Starts to look; the answer is the part of the processors' time, in percent, that the host of this machine took since. */
export function watchStolen(): () => number {
  if (process.platform !== 'linux') return () => 0;
  const before = times();
  return () => {
    const after = times();
    return (100 * (after.stolen - before.stolen)) / Math.max(1, after.all - before.all);
  };
}
