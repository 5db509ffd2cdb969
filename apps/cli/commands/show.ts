import type { FindingBody, InstrumentBody, RunBody } from '#bus/messages.js';
import { clientOptions, ServiceClient } from '../client.js';
import { exitCodes, UsageError, type Command } from '../command.js';
import { measuringText } from '../measuring-text.js';
import { stageName } from '../stage-names.js';
import { ago, table } from '../table.js';
import { findingLine } from './findings.js';

export const showCommand: Command = {
  name: 'show',
  usage: 'RUN',
  summary: 'One run: its stage, its constants, its instruments and what was found.',
  options: clientOptions,
  maxPositionals: 1,
  async run({ flags, positionals, io }) {
    const [id] = positionals;
    if (id === undefined) throw new UsageError("which run? 'stagewatch runs' lists them");
    const client = new ServiceClient(flags['url'] as string | undefined);
    const path = `/api/runs/${encodeURIComponent(id)}`;
    const { run } = await client.get<{ run: RunBody }>(path);
    const { findings } = await client.get<{ findings: FindingBody[] }>(`${path}/findings`);
    const { instruments } = await client.get<{ instruments: InstrumentBody[] }>(`${path}/instruments`);
    if (flags['json'] === true) {
      io.out(`${JSON.stringify({ run, instruments, findings })}\n`);
      return exitCodes.ok;
    }
    io.out(
      table([
        ['run', run.run],
        ['name', run.name],
        ['project', run.project],
        ['status', `${run.status}, seen ${ago(run.seenMs)}`],
        ...(run.message === '' ? [] : [['message', run.message.trim().replaceAll(/\s*\n\s*/g, ' ⏎ ')]]),
        ['stage', stageName(run.stage) + (run.stageDetail === '' ? '' : ` (${run.stageDetail})`)],
        ['step', run.plannedSteps > 0 ? `${run.step} of ${run.plannedSteps}` : String(run.step)],
        ...(measuringText(run.measuring) === '' ? [] : [['measurements', measuringText(run.measuring)]]),
        ['attempt', String(run.attempt)],
        ['framework', run.framework],
        [
          'optimizer',
          Object.entries(run.optimizer)
            .map(([key, value]) => `${key} ${value}`)
            .join(', '),
        ],
        ['loss', `${run.loss.kind}, ${run.loss.reduction}${run.loss.halved ? ', halved' : ''}`],
        ['batch', batchText(run)],
      ]),
    );
    const off = instruments.filter((instrument) => !instrument.on);
    if (off.length > 0) io.out(`\nOff:\n${off.map((i) => `  ${i.instrument}: ${i.reason}\n`).join('')}`);
    if (findings.length > 0) io.out(`\nFound:\n${findings.map((finding) => `${findingLine(finding)}\n`).join('')}`);
    return exitCodes.ok;
  },
};

/** "full" only where the job has said so. */
function batchText({ batchSize, fullBatch }: RunBody): string {
  if (fullBatch) return 'full';
  return batchSize === 0 ? 'not known' : String(batchSize);
}
