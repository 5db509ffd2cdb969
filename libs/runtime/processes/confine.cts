/**
 * Loaded with `--require` before everything else of a child process, and so before libuv has threads: Landlock binds the
 * thread that asks and those that it starts. What is loaded afterwards reaches the files that are named in the argument
 * `--confine=…` and no TCP, whatever it is talked into. Threads that V8 has already only collect garbage and compile.
 */
import fs = require('node:fs');
import koffi = require('koffi');

interface Reach {
  readonly read: readonly string[];
  readonly write: readonly string[];
}
type Outcome = { readonly kind: 'landlock'; readonly abi: number } | { readonly kind: 'none'; readonly reason: string };

const flag = '--confine=';
const outcomeKey = Symbol.for('stagewatch.confinement');

// linux/landlock.h
const system = { createRuleset: 444, addRule: 445, restrictSelf: 446 };
const askVersion = 1;
const pathBeneath = 1;
const right = { execute: 1n, writeFile: 1n << 1n, readFile: 1n << 2n, readDir: 1n << 3n, truncate: 1n << 14n };
const fileRights = right.execute | right.writeFile | right.readFile | right.truncate | (1n << 15n);
/** How many rights of the file system, from the lowest bit, each version of the interface knows. */
const rightsOfAbi = [0, 13, 14, 15, 15, 16, 16, 16];
const tcpSince = 4;
const scopesSince = 6;
const noNewPrivileges = 38;
const stackBytes = 8 * 2 ** 20;
const pathOnly = 0o10000000 | 0o2000000; // O_PATH | O_CLOEXEC

function confine(reach: Reach): Outcome {
  if (process.platform !== 'linux') return { kind: 'none', reason: `${process.platform} has no Landlock` };
  // The setting of `native-calls.ts`, which can be made only before the first library is loaded: here.
  koffi.config({ sync_stack_size: stackBytes });
  const libc = koffi.load(null);
  const call = libc.func('long syscall(long, uintptr_t, void *, unsigned long, unsigned long)');
  const prctl = libc.func('int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)');
  const createRuleset = libc.func('long syscall(long, void *, unsigned long, unsigned long)');
  const abi = Number(createRuleset(system.createRuleset, null, 0, askVersion));
  if (abi < 1) return { kind: 'none', reason: 'this kernel has no Landlock, or it is switched off' };
  const handled = (1n << BigInt(rightsOfAbi[Math.min(abi, rightsOfAbi.length - 1)]!)) - 1n;
  // Binding and connecting; abstract unix sockets and signals to those outside.
  const attributes = new BigUint64Array([handled, abi >= tcpSince ? 3n : 0n, abi >= scopesSince ? 3n : 0n]);
  const bytes = abi >= scopesSince ? 24 : abi >= tcpSince ? 16 : 8;
  const ruleset = Number(createRuleset(system.createRuleset, Buffer.from(attributes.buffer), bytes, 0));
  if (ruleset < 0) return { kind: 'none', reason: 'Landlock refused its rules' };
  try {
    for (const path of reach.read) allow(path, right.execute | right.readFile | right.readDir);
    for (const path of reach.write) allow(path, handled & ~right.execute);
    if (prctl(noNewPrivileges, 1, 0, 0, 0) !== 0) return { kind: 'none', reason: 'the process cannot give up privileges' };
    if (Number(call(system.restrictSelf, ruleset, null, 0, 0)) !== 0)
      return { kind: 'none', reason: 'Landlock refused the process' };
    return { kind: 'landlock', abi };
  } finally {
    fs.closeSync(ruleset);
  }

  function allow(path: string, rights: bigint): void {
    // What is not there cannot be reached anyway.
    if (!fs.existsSync(path)) return;
    const place = fs.openSync(path, pathOnly);
    const isFolder = fs.fstatSync(place).isDirectory();
    const rule = Buffer.alloc(12);
    rule.writeBigUInt64LE(rights & handled & (isFolder ? ~0n : fileRights), 0);
    rule.writeInt32LE(place, 8);
    const added = libc.func('long syscall(long, int, int, void *, unsigned int)')(system.addRule, ruleset, pathBeneath, rule, 0);
    fs.closeSync(place);
    if (Number(added) !== 0) throw new Error(`Landlock takes no rule for ${path}`);
  }
}

const wish = process.argv.find((argument) => argument.startsWith(flag));
if (wish === undefined) throw new Error(`confine.cjs needs ${flag}…`);
const outcome = confine(JSON.parse(wish.slice(flag.length)) as Reach);
(globalThis as Record<symbol, unknown>)[outcomeKey] = outcome;
