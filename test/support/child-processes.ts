import { readdirSync, readFileSync } from 'node:fs';

/** Children of a process whose command line names this program. */
export function childrenOf(parent: number, program: string): readonly number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid > 0 && isChild(pid, parent, program));
}

function isChild(pid: number, parent: number, program: string): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [state, ppid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(ppid) === parent && state !== 'Z' && readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(program);
  } catch {
    // It has ended meanwhile.
    return false;
  }
}
