import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Another process works on the data folder. */
export class DataFolderInUse extends Error {
  override readonly name = 'DataFolderInUse';
}

/**
 * One process a data folder: the embedded ClickHouse would corrupt a folder that two share. The lock names the process
 * and when it started, so that a lock left by a killed process is seen to be stale even when its number is used again.
 */
export function lockDataFolder(dataDir: string): { release(): void } {
  mkdirSync(dataDir, { recursive: true });
  const path = join(dataDir, 'stagewatch.lock');
  const mine = `${process.pid} ${startedAt(process.pid)}\n`;
  for (let tries = 0; ; tries++) {
    try {
      writeFileSync(path, mine, { flag: 'wx' });
      return { release: () => rmSync(path, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || tries > 2) throw error;
    }
    const [pid, started] = readFileSync(path, 'utf8').trim().split(' ');
    if (isAlive(Number(pid)) && startedAt(Number(pid)) === started) {
      throw new DataFolderInUse(
        `the data folder ${dataDir} is in use by process ${pid}; stop it, or choose another folder with --data`,
      );
    }
    rmSync(path, { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Clock ticks since boot, where the system tells; elsewhere the process number has to do. */
function startedAt(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '?';
  } catch {
    return '?';
  }
}
