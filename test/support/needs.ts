import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '#runtime/package-root.js';

/**
 * Parts of the system that some tests need. A test that does not find its part is skipped and says so at the end of
 * `npm run check`; in CI nothing may be left out.
 */
export function leftOut(what: string, forWantOf: string): void {
  report('left-out.txt', `${what}: for want of ${forWantOf}`);
}

/** What this machine's hardware cannot do, and no installation would help. It is reported, in CI too, and fails nothing. */
export function notHere(what: string, because: string): void {
  report('not-here.txt', `${what}: ${because}`);
}

function report(file: string, line: string): void {
  const folder = join(packageRoot, 'node_modules/.cache');
  mkdirSync(folder, { recursive: true });
  appendFileSync(join(folder, file), `${line}\n`);
}

/** The first of the paths that exists. */
export function findFile(what: string, forWantOf: string, paths: readonly string[]): string | undefined {
  const found = paths.find((path) => existsSync(path));
  if (found === undefined) leftOut(what, forWantOf);
  return found;
}

export function findChromium(what: string): string | undefined {
  return findFile(what, 'Chromium (apt-get install chromium)', [
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
  ]);
}

/** A Python that imports the modules; the first `python3` on the path need not be the one that sees Debian's packages. */
export function findPython(what: string, modules: readonly string[]): string | undefined {
  const candidates = [join(packageRoot, '.cache/py/bin/python'), '/usr/bin/python3', 'python3'];
  // Found, not imported: PyTorch takes seconds, and one that is there and broken should fail the test.
  const look = 'import sys, importlib.util as u; sys.exit(not all(u.find_spec(name) for name in sys.argv[1:]))';
  for (const python of candidates) {
    try {
      execFileSync(python, ['-c', look, ...modules], { stdio: 'ignore' });
      return python;
    } catch {
      // The next one may see more.
    }
  }
  leftOut(what, `a Python that imports ${modules.join(', ')}`);
  return undefined;
}
