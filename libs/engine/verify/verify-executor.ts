import { differentiated, sampleInputs } from '#graph/samples/differentiated.js';
import { samples } from '#graph/samples/samples.js';
import type { Sample } from '#graph/samples/sample.js';
import type { Executor } from '../executor.js';
import { firstLine } from '../executors/open-executor.js';
import { relativeError } from './compare.js';
import { rounded, runExactly, runOnce } from './run-once.js';

const examples = 3;
/** Relative, for values and derivatives up to the second in single precision; a wrong rule is off by far more. */
export const sampleTolerance = 2e-4;

export interface SampleResult {
  readonly op: string;
  readonly case: string;
  /** The largest of the value, the derivatives and the second derivatives; infinite when it failed. */
  readonly error: number;
  /** What failed. */
  readonly problem?: string;
}

/** Compares value, derivatives in both directions, and forward-over-reverse of one use of an op with the reference. */
export async function verifySample(executor: Executor, sample: Sample): Promise<SampleResult> {
  const { op, case: name } = sample;
  const { graph } = differentiated(sample);
  const inputs = rounded(sampleInputs(graph, sample, examples));
  const expected = runExactly(graph, inputs);
  try {
    const actual = await runOnce(executor, graph, inputs);
    let worst = { error: 0, output: '' };
    for (const { name: output } of graph.outputs) {
      const error = relativeError(actual[output] ?? [], expected[output] ?? []);
      if (error > worst.error) worst = { error, output };
    }
    const wrong = worst.error > sampleTolerance;
    return { op, case: name, error: worst.error, ...(wrong && { problem: `${meaning(worst.output)} differs` }) };
  } catch (error) {
    return { op, case: name, error: Number.POSITIVE_INFINITY, problem: firstLine(error) };
  }
}

function meaning(output: string): string {
  if (output === 'y' || output === 'total') return 'its value';
  if (output === 'moved') return 'its forward derivative';
  return output.startsWith('g') ? 'its gradient' : 'its second derivative';
}

/** Every use of every op. `progress` is told how many are done. */
export async function verifyExecutor(
  executor: Executor,
  progress: (done: number, all: number) => void = () => {},
): Promise<readonly SampleResult[]> {
  const results: SampleResult[] = [];
  for (const sample of samples) {
    results.push(await verifySample(executor, sample));
    progress(results.length, samples.length);
  }
  return results;
}
