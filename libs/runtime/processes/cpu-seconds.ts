import { readFileSync } from 'node:fs';

/** Of a clock tick in /proc; the same on every Linux. */
const tickMs = 10;

/** Time that a process has computed so far; undefined where the system does not tell, and for a process that is gone. */
export function cpuMsOf(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // Fields are counted behind the name, which may hold anything: 14 is user time, 15 that of the system.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * tickMs;
  } catch {
    return undefined;
  }
}
