/**
 * Hessian-vector products beside the peers, on three networks, everything in turns in one run.
 *
 *     npm run build && node dist/test/bench/engine.js [--only mlp,gpt] [--turns 9] [--python path] [--peers torch,jax]
 *
 * `--python`, or BENCH_PYTHON: one that has PyTorch 2 and JAX. Without it our own engine is timed alone, and what was left out
 * is said. Each contender has two processes, one with glibc told to keep its memory; a figure is the minimum over turns.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { packageRoot } from '#runtime/package-root.js';
import { differenceOf, tolerance, writeTruth } from './engine/agreement.js';
import { Contender } from './engine/contender.js';
import { figuresOf, type Entry } from './engine/figures.js';
import { writeNumbers } from './engine/workloads.js';
import { report, type BenchRow } from './support/report.js';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: 'mlp,convolutions,gpt' },
    turns: { type: 'string', default: '9' },
    threads: { type: 'string', default: '2' },
    python: { type: 'string' },
    peers: { type: 'string', default: 'torch,jax,curvlinops,torch-compile' },
  },
});
const threads = Number(options.threads);
const script = join(packageRoot, 'test/bench/engine/peer.py');

function findPython(): string | undefined {
  const given = options.python ?? process.env['BENCH_PYTHON'];
  const candidates = given === undefined ? [join(packageRoot, '.cache/py/bin/python'), 'python3'] : [given];
  return candidates.find((python) => {
    try {
      const look = 'import sys, importlib.util as u; sys.exit(not all(u.find_spec(name) for name in sys.argv[1:]))';
      execFileSync(python, ['-c', look, 'torch', 'jax'], { stdio: 'ignore' });
      return python.includes('/') ? existsSync(python) : true;
    } catch {
      return false;
    }
  });
}

const python = findPython();
const folder = mkdtempSync(join(tmpdir(), 'engine-bench-'));
const rows: BenchRow[] = [];
const leftOut: string[] =
  python === undefined ? ['all peers, and the comparison with float64: no Python here has torch and jax'] : [];

function startContenders(): Contender[] {
  const allocators = ['default', 'keeping'] as const;
  const peers = python === undefined ? [] : options.peers.split(',').filter((name) => name !== '');
  return [
    ...allocators.map(own),
    ...peers.flatMap((name) =>
      allocators.map((allocator) => new Contender({ name, command: python!, args: [script, name], allocator, threads })),
    ),
  ];
}

async function exactAnswers(workload: string): Promise<void> {
  if (python === undefined) return;
  const torch = new Contender({ name: 'float64', command: python, args: [script, 'torch'], allocator: 'default', threads });
  const { error } = await torch.ask({ do: 'load', workload, folder });
  if (error !== undefined) throw new Error(error);
  await writeTruth(torch, folder);
  torch.close();
}

async function bench(workload: string): Promise<void> {
  writeNumbers(workload, folder);
  await exactAnswers(workload);
  const entries: Entry[] = [];
  const contenders = startContenders();
  for (const contender of contenders) {
    const { can = [], facts = {}, error } = await contender.ask({ do: 'load', workload, folder });
    if (error !== undefined) leftOut.push(`${workload}: ${contender.name} (${contender.allocator}): ${error}`);
    for (const what of can.filter((name) => !name.startsWith('float64'))) {
      const difference = python === undefined ? Number.NaN : await differenceOf(contender, what, folder);
      if (typeof difference === 'string') leftOut.push(`${workload}: ${contender.name}, ${what}: ${difference}`);
      else if (!what.startsWith('product ') || contender.name !== 'stagewatch') {
        entries.push({ contender, what, difference, facts, minimumMs: Number.POSITIVE_INFINITY });
      } else if (!(difference <= tolerance) && python !== undefined)
        throw new Error(`${workload}, ${what}: off by ${difference}`);
    }
  }
  for (let turn = 0; turn < Number(options.turns); turn++) {
    const start = (turn * 5) % Math.max(1, entries.length);
    for (const entry of [...entries.slice(start), ...entries.slice(0, start)]) {
      const { ms = Number.POSITIVE_INFINITY } = await entry.contender.ask({ do: 'time', what: entry.what, repeats: 3 });
      entry.minimumMs = Math.min(entry.minimumMs, ms);
    }
  }
  for (const contender of contenders) contender.close();
  rows.push(...figuresOf(workload, entries));
}

function own(allocator: 'default' | 'keeping' = 'default'): Contender {
  const args = [fileURLToPath(new URL('./engine/own.js', import.meta.url))];
  return new Contender({ name: 'stagewatch', command: process.execPath, args, allocator, threads });
}

async function preparation(): Promise<void> {
  writeNumbers('resnet18', folder);
  const contender = own();
  const { facts, error } = await contender.ask({ do: 'load', workload: 'resnet18', folder });
  contender.close();
  if (facts === undefined) leftOut.push(`the preparation of ResNet-18: ${error}`);
  else rows.push({ what: 'resnet18: preparation', unit: 'ms', value: facts['preparationMs'] ?? Number.NaN, asked: '<= 5000' });
}

/** Ten times as many examples under one budget: what a process needs at most, without the examples themselves. */
async function memory(): Promise<void> {
  const workload = 'gpt';
  writeNumbers(workload, folder);
  const peaks: number[] = [];
  for (const times of [1, 10]) {
    const contender = own();
    const { facts, error } = await contender.ask({ do: 'load', workload, folder, memoryMiB: 64, times });
    contender.close();
    if (facts === undefined) return void leftOut.push(`memory of a larger batch: ${error}`);
    peaks.push(facts['peakMB'] ?? Number.NaN);
  }
  const [once = 0, tenfold = 0] = peaks;
  const ceiling = { what: 'the same with a tenth', value: once };
  rows.push({
    what: `${workload}: peak memory, ten times the examples, budget 64 MiB`,
    unit: 'MB',
    value: tenfold,
    asked: 'ratio near 1',
    ceiling,
  });
}

console.log(`${availableParallelism()} cores, load ${loadavg()[0]?.toFixed(1)}; ${python ?? 'no Python'}`);
for (const workload of options.only.split(',')) await bench(workload);
await preparation();
await memory();
report('engine', rows);
for (const line of leftOut) console.log(`left out: ${line}`);
console.log(`load at the end ${loadavg()[0]?.toFixed(1)}`);
rmSync(folder, { recursive: true });
