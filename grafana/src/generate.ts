import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { packageRoot } from '#runtime/package-root.js';
import { generatedFiles } from './files.js';

for (const [path, content] of generatedFiles()) {
  const file = join(packageRoot, 'grafana', path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
}
