import type { MeasuringBody, RunBody } from '#bus/messages.js';
import { batchOf, taggerStateOf } from '#detectors/judge.js';
import { toJsonNumber } from '#math/json-number.js';
import type { RunRow } from '#store/rows.js';
import { lossFacts, runFacts } from './facts.js';
import type { RunMemory } from './memory.js';

/** The run as the page shows it. */
export function runBody(run: string, memory: RunMemory, measuring: MeasuringBody): RunBody {
  return { ...constantBody(run, memory), measuring };
}

/** What is a function of the log. */
function constantBody(run: string, memory: RunMemory): Omit<RunBody, 'measuring'> {
  const { attached, attempt, status, message, step, createdMs, seenMs } = memory;
  const { stage, detail } = taggerStateOf(memory.judge);
  const batch = batchOf(memory.judge, runFacts(attached));
  return {
    run,
    name: attached.name,
    project: attached.project === '' ? 'default' : attached.project,
    framework: attached.framework,
    attempt,
    status,
    message,
    stage,
    stageDetail: detail,
    step,
    plannedSteps: attached.plannedSteps,
    createdMs,
    seenMs,
    optimizer: constants(attached.optimizer),
    loss: lossFacts(attached.loss),
    batchSize: typeof batch === 'number' ? batch : attached.batchSize,
    fullBatch: batch === 'full',
    tags: attached.tags,
  };
}

export function runRow(run: string, memory: RunMemory, version: number): RunRow {
  const body = constantBody(run, memory);
  return {
    ...body,
    optimizer: JSON.stringify(body.optimizer),
    loss: JSON.stringify(body.loss),
    tags: JSON.stringify(body.tags),
    version,
  };
}

function constants(optimizer: RunMemory['attached']['optimizer']): RunBody['optimizer'] {
  const entries = Object.entries(optimizer ?? {}) as [string, number | string | boolean][];
  return Object.fromEntries(entries.map(([name, value]) => [name, typeof value === 'number' ? toJsonNumber(value) : value]));
}
