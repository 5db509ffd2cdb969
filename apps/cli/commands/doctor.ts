import { cpus, totalmem } from 'node:os';
import type { describeExecutors, OperatorsTable } from '#analyzer/machine.js';
import { exitCodes, type Command, type Io } from '../command.js';
import type { Check } from '../doctor-checks.js';
import { serviceConfig, serviceOptions } from '../service-options.js';
import { operatorsText } from '../operators-text.js';
import { spellNumbers } from '../spell-numbers.js';
import { table } from '../table.js';
import { packageVersions, version } from '../version.js';

export const doctorCommand: Command = {
  name: 'doctor',
  usage: '[--data DIR] [--verify] [--json]',
  summary: 'What was found on this machine, what was chosen, and why the rest was not.',
  description: [
    'Tries the stores on a temporary folder. Exits with 1 when something that the service needs is missing.',
    'With --data what is stored there is compared with what it held before, and, when no service runs on it, every byte with its',
    'checksum. Damage is named, and ends in 1.',
    'With --verify every executor that starts here is compared with the reference, on every op with its derivatives, and one',
    'that is wrong ends in 1 too.',
  ].join('\n'),
  options: {
    ...serviceOptions,
    verify: { type: 'boolean', help: 'Compare executors with the reference, op by op; takes a minute.' },
    json: { type: 'boolean', help: 'Print JSON.' },
  },
  maxPositionals: 0,
  async run(invocation) {
    const { io, flags } = invocation;
    const config = serviceConfig(invocation);
    if (flags['json'] !== true) io.err('Trying the stores…\n');
    const analyzer = await import('#analyzer/machine.js');
    const { checkRunning } = await import('../doctor-running.js');
    const { checkDataFolder, checkPorts, checkStoredData, checkStores } = await import('../doctor-checks.js');
    const executors = await analyzer.describeExecutors(config.engine);
    const executor = executors.find(({ chosen }) => chosen)?.name ?? config.engine.executor;
    const report: Report = {
      versions: { stagewatch: version, node: process.versions.node, ...packageVersions() },
      machine: `${process.platform} ${process.arch}, ${cpus().length} cores, ${Math.round(totalmem() / 1024 ** 3)} GiB`,
      executors,
      measuring: {
        name: 'measuring',
        ...(await analyzer.tryMeasuring({ ...config.engine, executor }, config.measuring.deadlineMs)),
      },
      stores: await checkStores(),
      ports: await checkPorts(config),
      data: checkDataFolder(config.dataDir),
      stored: flags['data'] === undefined ? [] : await checkStoredData(config),
      running: await checkRunning(config),
      ...(flags['verify'] === true && { operators: await analyzer.verifyExecutors(config.engine, progressOn(io)) }),
    };
    const healthy =
      [report.measuring, ...report.stores, ...report.ports, report.data, ...report.stored, ...report.running].every(
        (check) => check.ok,
      ) &&
      report.executors.some((e) => e.chosen) &&
      report.operators?.ok !== false;
    if (flags['json'] === true) io.out(`${JSON.stringify({ healthy, ...report }, spellNumbers)}\n`);
    else print(io, report, healthy);
    return healthy ? exitCodes.ok : exitCodes.failed;
  },
};

interface Report {
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: string;
  readonly executors: Awaited<ReturnType<typeof describeExecutors>>;
  /** A measuring process, started and ended. */
  readonly measuring: Check;
  readonly stores: readonly Check[];
  readonly ports: readonly Check[];
  readonly data: Check;
  readonly stored: readonly Check[];
  /** What a service that runs here says of itself. */
  readonly running: readonly Check[];
  readonly operators?: OperatorsTable;
}

/** A line for each executor when its turn comes. */
function progressOn(io: Io): (name: string) => void {
  let shown = '';
  return (name) => {
    if (name !== shown) io.err(`Comparing ${name} with the reference…\n`);
    shown = name;
  };
}

function print(io: Io, report: Report, healthy: boolean): void {
  const section = (title: string, rows: readonly (readonly string[])[]): void =>
    io.out(`\n${title}\n${table(rows.map((row) => ['', ...row]))}`);
  const checks = (list: readonly Check[]): string[][] => list.map((c) => [c.ok ? 'ok' : 'NOT OK', c.name, c.detail]);
  section('Versions', [...Object.entries(report.versions), ['machine', report.machine]]);
  section(
    'Executors',
    report.executors.map((e) => [
      e.chosen ? 'chosen' : e.available ? 'found' : 'refused',
      e.name,
      e.trialMs === undefined ? '' : `${e.trialMs.toFixed(1)} ms`,
      e.reason,
    ]),
  );
  section('Measuring', checks([report.measuring]));
  section('Stores', checks(report.stores));
  section('Ports', checks(report.ports));
  section('Data', checks([report.data, ...report.stored]));
  section('Running service', checks(report.running));
  if (report.operators !== undefined) io.out(`\n${operatorsText(report.operators)}`);
  io.out(healthy ? '\nReady.\n' : '\nSomething is missing; see above.\n');
}
