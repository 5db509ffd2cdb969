import { createJudge, type Judge, type JudgeState } from '#detectors/judge.js';
import type { Finding, OptimizerFacts, RunFacts, StepReadings } from '#detectors/detector.js';
import { fromJsonNumber } from '#math/json-number.js';

/** What comes out of a stream of lines: findings as soon as each is known, and at most one error, which ends it. */
export type JudgedLine =
  | { readonly kind: 'finding'; readonly finding: LineFinding }
  | { readonly kind: 'error'; readonly line: number; readonly message: string };

/** In the shape of `docs/vocabulary.md`. */
export interface LineFinding extends Finding {
  readonly run: string;
  readonly attempt: number;
}

/**
 * Judges readings that come as JSON lines: one line for the run, then one a step. Everything before a line that is not
 * understood has been judged; that line is named by its number, counted from 1, and nothing after it is read. Empty
 * lines are passed over.
 *
 * @example for await (const judged of judgeLines(lines)) if (judged.kind === 'finding') print(judged.finding);
 */
export async function* judgeLines(lines: AsyncIterable<string> | Iterable<string>): AsyncGenerator<JudgedLine> {
  let number = 0;
  let session: Session | undefined;
  for await (const line of lines) {
    number++;
    if (line.trim() === '') continue;
    let findings: readonly LineFinding[];
    try {
      const value = parseObject(line);
      session ??= new Session();
      findings = session.take(value);
    } catch (error) {
      if (!(error instanceof LineFault)) throw error;
      yield { kind: 'error', line: number, message: error.message };
      return;
    }
    for (const finding of findings) yield { kind: 'finding', finding };
  }
  if (session === undefined) yield { kind: 'error', line: number + 1, message: 'there is no line for the run' };
}

class LineFault extends Error {
  override readonly name = 'LineFault';
}

type JsonObject = Readonly<Record<string, unknown>>;

class Session {
  private judge: Judge | undefined;
  private state: JudgeState = {};
  private step = -1;
  private run = 'run';

  take(line: JsonObject): readonly LineFinding[] {
    if (this.judge === undefined) {
      const described = readRun(line);
      this.run = described.name;
      this.judge = createJudge(described.facts);
      this.state = this.judge.initial();
      return [];
    }
    const input = readStep(line);
    if (input.step <= this.step) {
      throw new LineFault(`step ${input.step} does not come after step ${this.step}`);
    }
    this.step = input.step;
    const { state, findings } = this.judge.readings(this.state, input);
    this.state = state;
    return findings.map((finding) => ({ run: this.run, attempt: 1, ...finding }));
  }
}

function parseObject(line: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new LineFault('this is not JSON');
  }
  if (!isObject(value)) throw new LineFault('expected a JSON object');
  return value;
}

function readRun(line: JsonObject): { readonly name: string; readonly facts: RunFacts } {
  const run = line['run'];
  if (!isObject(run)) throw new LineFault('the first line must describe the run: {"run": {…}}');
  const { loss = 'unknown', batch = 'unknown', name, id } = run;
  if (!isLoss(loss)) throw new LineFault(`run.loss is ${show(loss)}, expected "mse" or "cross-entropy"`);
  if (batch !== 'full' && batch !== 'unknown' && !(typeof batch === 'number' && batch >= 1)) {
    throw new LineFault(`run.batch is ${show(batch)}, expected "full" or a number`);
  }
  return {
    name: typeof id === 'string' ? id : typeof name === 'string' ? name : 'run',
    facts: { loss: loss === 'ce' ? 'cross-entropy' : loss, batch, optimizer: readOptimizer(run['optimizer']) },
  };
}

function isLoss(loss: unknown): loss is RunFacts['loss'] | 'ce' {
  return loss === 'mse' || loss === 'cross-entropy' || loss === 'ce' || loss === 'unknown';
}

/** Constants that are left out have the defaults of PyTorch. */
function readOptimizer(value: unknown): OptimizerFacts {
  if (!isObject(value) || typeof value['name'] !== 'string') {
    throw new LineFault('run.optimizer must be an object with a name');
  }
  const name = value['name'].toLowerCase();
  const constant = (key: string, fallback: number): number => {
    const given = value[key];
    if (given === undefined) return fallback;
    if (typeof given !== 'number' || !Number.isFinite(given)) {
      throw new LineFault(`run.optimizer.${key} is ${show(given)}, expected a number`);
    }
    return given;
  };
  const flag = (key: string): boolean => {
    const given = value[key] ?? false;
    if (typeof given !== 'boolean') throw new LineFault(`run.optimizer.${key} is ${show(given)}, expected true or false`);
    return given;
  };
  return {
    name,
    momentum: constant('momentum', 0),
    dampening: constant('dampening', 0),
    nesterov: flag('nesterov'),
    beta1: constant('beta1', name === 'sgd' || name === 'rmsprop' ? 0 : 0.9),
    beta2: constant('beta2', 0.999),
    epsilon: constant('epsilon', 1e-8),
    weightDecay: constant('weightDecay', constant('weight_decay', 0)),
    decoupledDecay: name === 'adamw' || flag('decoupledDecay'),
  };
}

function readStep(line: JsonObject): StepReadings {
  const { step, readings } = line;
  if (typeof step !== 'number' || !Number.isSafeInteger(step) || step < 0) {
    throw new LineFault(`step is ${show(step)}, expected a whole number`);
  }
  if (!isObject(readings)) throw new LineFault('readings must be an object of numbers');
  const numbers: Record<string, number> = {};
  for (const [name, value] of Object.entries(readings)) {
    const number = fromJsonNumber(value);
    if (number === undefined) {
      throw new LineFault(`readings.${name} is ${show(value)}, expected a number, "nan", "inf" or "-inf"`);
    }
    numbers[name] = number;
  }
  return { step, readings: numbers };
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  return value === undefined ? 'missing' : JSON.stringify(value).slice(0, 80);
}
