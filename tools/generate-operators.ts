/**
 * Writes docs/operators.md from what the executors of this machine do: `npm run generate:operators`, best on one that has
 * them all (`stagewatch setup tfjs --dir .cache/tfjs`, and a graphics card, or Debian's chromium and libvulkan1).
 */
import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { discoverAll } from '#engine/executors/discover.js';
import { operatorsPage } from '#engine/verify/operators-page.js';
import { verifyExecutors } from '#engine/verify/verify-executors.js';
import { packageRoot } from '#runtime/package-root.js';
import { executorSettings } from '../test/support/executors.js';
import { provideWebGpu } from '../test/support/software-webgpu.js';

provideWebGpu('executors on WebGPU');
const settings = executorSettings();
const table = await verifyExecutors(settings, (name, share) => {
  if (share === 1) console.log(`${name} is compared`);
});
const hardware = (await discoverAll(settings)).flatMap((found) =>
  found.startable ? [`- \`${found.name}\` on ${found.hardware}`] : [],
);
const machine = [`${process.platform} ${process.arch}, ${cpus().length} cores.`, '', ...hardware].join('\n');
await writeFile(join(packageRoot, 'docs/operators.md'), operatorsPage(table, machine));
// Native libraries keep threads that would hold the process.
process.exit(table.ok ? 0 : 1);
