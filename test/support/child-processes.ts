import { readdirSync, readFileSync } from 'node:fs';

/** Children of a process whose command line names this program. */
export function childrenOf(parent: number, program: string): readonly number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid > 0 && isChild(pid, parent, program));
}

/** Of one that has ended, and whose end nobody has taken note of yet, the system still keeps the number. */
export function isRunning(pid: number): boolean {
  try {
    // While one of its threads is left, it holds its files.
    return statOf(pid)[0] !== 'Z' || readdirSync(`/proc/${pid}/task`).length > 1;
  } catch {
    return false;
  }
}

function statOf(pid: number): readonly string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function isChild(pid: number, parent: number, program: string): boolean {
  try {
    const [state, ppid] = statOf(pid);
    return Number(ppid) === parent && state !== 'Z' && readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(program);
  } catch {
    // It has ended meanwhile.
    return false;
  }
}
