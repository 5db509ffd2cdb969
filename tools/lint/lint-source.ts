import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '#runtime/package-root.js';

/** What the linter itself says of a file that lies in a room, so that a rule, its table and its wiring are all tested. */
export function lintSource(source: string, probe: string): string {
  const folder = join(packageRoot, 'libs/math', probe);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'probe.ts');
  writeFileSync(file, source);
  try {
    execFileSync(join(packageRoot, 'node_modules/.bin/oxlint'), [file], { cwd: packageRoot, encoding: 'utf8', stdio: 'pipe' });
    return '';
  } catch (error) {
    return (error as { stdout: string }).stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
