import { describe, expect, it } from 'vitest';
import { reachable } from '../builder.js';
import { isDifferentiable } from '../op.js';
import { runReference } from '../run-reference.js';
import { differences, dot, shifted } from '../testing/numbers.js';
import { samples } from '../samples/samples.js';
import { differentiated, sampleInputs } from '../samples/differentiated.js';
import { registry } from './registry.js';

const BATCH = 3;
const DIFFERENCE_STEP = 1e-5;

describe.each(samples)('$op - $case', (sample) => {
  const { graph } = differentiated(sample);
  const inputs = sampleInputs(graph, sample, BATCH);
  const here = runReference(graph, inputs);
  const alongVector = (sign: number) => {
    const moved = { ...inputs };
    sample.inputs.forEach((_, i) => {
      const [x, v] = [inputs[`x${i}`], inputs[`v${i}`]];
      if (x && v) moved[`x${i}`] = shifted(x, v, sign * DIFFERENCE_STEP);
    });
    return runReference(graph, moved);
  };
  const [after, before] = [alongVector(1), alongVector(-1)];
  const difference = (name: string): Float64Array =>
    Float64Array.from(after[name]?.data ?? [], (x, i) => (x - (before[name]?.data[i] ?? Number.NaN)) / (2 * DIFFERENCE_STEP));

  it('forward derivative equals central differences', () => {
    expect(differences(here['moved']?.data, difference('y'), 1e-7)).toEqual([]);
  });

  it('reverse derivative equals central differences', () => {
    const slope = sample.inputs.reduce((sum, _, i) => sum + dot(here[`g${i}`]?.data ?? [], inputs[`v${i}`]?.data ?? []), 0);
    expect(differences([slope], difference('total'), 1e-7)).toEqual([]);
  });

  it('reverse derivative equals central differences, input by input', () => {
    for (let i = 0; i < sample.inputs.length; i++) {
      const x = inputs[`x${i}`];
      if (!x) continue;
      const slopes = Float64Array.from(x.data, (_, k) => {
        const moved = (sign: number): number => {
          const data = x.data.slice();
          data[k] = (data[k] ?? 0) + sign * DIFFERENCE_STEP;
          return runReference(graph, { ...inputs, [`x${i}`]: { shape: x.shape, data } })['total']?.data[0] ?? Number.NaN;
        };
        return (moved(1) - moved(-1)) / (2 * DIFFERENCE_STEP);
      });
      expect(differences(here[`g${i}`]?.data, slopes, 1e-6)).toEqual([]);
    }
  });

  it('forward derivative of the reverse derivative equals central differences', () => {
    for (let i = 0; i < sample.inputs.length; i++) {
      expect(differences(here[`h${i}`]?.data, difference(`g${i}`), 1e-6)).toEqual([]);
    }
  });
});

describe('registry', () => {
  it('every op has a sample', () => {
    expect([...registry.keys()].filter((name) => !samples.some((sample) => sample.op === name))).toEqual([]);
  });

  it('each sample uses the op that it names', () => {
    for (const sample of samples) {
      const { graph } = differentiated(sample);
      expect(
        graph.nodes.map((node) => node.op),
        `${sample.op} ${sample.case}`,
      ).toContain(sample.op);
    }
  });

  it('closure: derivatives emit only ops that are known, with a derivative or a reason to have none', () => {
    const emitted = new Set(
      samples.flatMap((sample) =>
        [...reachable(differentiated(sample).ends)].flatMap(({ source }) => (source.kind === 'op' ? [source.op] : [])),
      ),
    );
    expect(emitted.size).toBeGreaterThan(10);
    const open = [...emitted].filter((name) => {
      const derivative = registry.get(name)?.derivative;
      return derivative === undefined || (!isDifferentiable(derivative) && derivative.piecewiseConstant.length < 10);
    });
    expect(open).toEqual([]);
  });

  it('only these ops are declared to have no derivative', () => {
    const without = [...registry.values()].filter((op) => !isDifferentiable(op.derivative)).map((op) => op.name);
    expect(without.sort()).toEqual([
      'and',
      'argMax',
      'batchSize',
      'cast',
      'counting',
      'equal',
      'floor',
      'less',
      'lessOrEqual',
      'maxPoolIndex',
      'not',
      'oneHot',
      'or',
      'quotient',
      'round',
      'sign',
      'step',
    ]);
  });
});
