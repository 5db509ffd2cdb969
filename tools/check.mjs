#!/usr/bin/env node
// Everything that must hold, for people and for CI: `npm run check`. Stops at the first step that fails.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';

const leftOutFile = 'node_modules/.cache/left-out.txt';
const notHereFile = 'node_modules/.cache/not-here.txt';
const testPython = '.cache/py/bin/python';
/** @type {[name: string, command: string, args: string[]][]} */
const steps = [
  ['format', 'npx', ['oxfmt', '--check', '.']],
  ['types and build', 'npm', ['run', '--silent', 'build']],
  ['set-up for the tests and the Python probe', 'node', ['dist/tools/set-up.js']],
  ['lint', 'npx', ['oxlint', '--type-aware']],
  ['wire contract', 'npm', ['run', '--silent', 'proto:check']],
  ['generated files unchanged', 'npm', ['run', '--silent', 'generate:check']],
  ['licences', 'node', ['tools/licenses.mjs', '--check']],
  ['unused code', 'npx', ['knip']],
  ['tests', 'npx', ['vitest', 'run']],
  ['Python probe', 'bash', ['libs/probes/python/test.sh', testPython]],
];

for (const file of [leftOutFile, notHereFile]) rmSync(file, { force: true });
const only = process.argv.slice(2);
const done = [];
for (const [name, command, args] of steps) {
  if (only.length > 0 && !only.some((word) => name.includes(word))) continue;
  // The set-up has said why there is none.
  if (args.includes(testPython) && !existsSync(testPython)) continue;
  console.log(`\n=== ${name}`);
  const started = Date.now();
  const { status } = spawnSync(command, args, { stdio: 'inherit', env: { ...process.env, npm_config_loglevel: 'error' } });
  done.push(`${status === 0 ? 'ok    ' : 'FAILED'} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  if (status !== 0) break;
}

const linesOf = (file) => (existsSync(file) ? [...new Set(readFileSync(file, 'utf8').trim().split('\n'))] : []);
const [leftOut, notHere] = [linesOf(leftOutFile), linesOf(notHereFile)];
console.log(`\n${done.join('\n')}`);
if (leftOut.length > 0) console.log(`\nLeft out:\n${leftOut.map((line) => `  ${line}`).join('\n')}`);
if (notHere.length > 0) console.log(`\nNot on this machine:\n${notHere.map((line) => `  ${line}`).join('\n')}`);
const failed =
  done.filter((line) => line.startsWith('FAILED')).length + (process.env.CI === 'true' && leftOut.length > 0 ? 1 : 0);
if (process.env.CI === 'true' && leftOut.length > 0)
  console.log('\nIn CI nothing may be left out: .ci/run must install what the set-up cannot get.');
console.log(`\n${done.length - done.filter((line) => line.startsWith('FAILED')).length} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
