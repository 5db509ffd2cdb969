import type { MeasuringBody, RunBody } from '#bus/messages.js';
import { batchOf, taggerStateOf } from '#detectors/judge.js';
import { hasOwnRates, stabilityThreshold } from '#math/stability-threshold.js';
import { toJsonNumber } from '#math/json-number.js';
import type { RunRow } from '#store/rows.js';
import { lossFacts, optimizerFacts, runFacts } from './facts.js';
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
  const { groups = [], ...rest } = optimizer ?? {};
  const entries = Object.entries<number | string | boolean>({ ...rest, ...(groups.length > 1 && groupsBody(optimizer)) });
  return Object.fromEntries(entries.map(([name, value]) => [name, typeof value === 'number' ? toJsonNumber(value) : value]));
}

/** What the page says of groups of parameters. */
function groupsBody(optimizer: RunMemory['attached']['optimizer']): RunBody['optimizer'] {
  const facts = optimizerFacts(optimizer);
  return {
    groups: facts.groups?.length ?? 1,
    ownRates: hasOwnRates(facts),
    oneThreshold: stabilityThreshold(facts, facts.groups?.[0]?.learningRate ?? 0) !== undefined,
  };
}
