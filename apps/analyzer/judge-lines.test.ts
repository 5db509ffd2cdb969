import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { onChange } from '#detectors/testing/golden-streams.js';
import { judgeLines, type JudgedLine } from './judge-lines.js';

async function judged(lines: readonly string[]): Promise<JudgedLine[]> {
  const all: JudgedLine[] = [];
  for await (const line of judgeLines(lines)) all.push(line);
  return all;
}

const sgd = '{"run":{"loss":"mse","optimizer":{"name":"sgd"},"batch":"full"}}';

interface Golden {
  cases: { name: string; loss: string; optimizer: string; rows: number[][]; expected_events: [number, string, string][] }[];
}
const golden = JSON.parse(readFileSync('test/golden/stage_streams.json', 'utf8')) as Golden;
const words: Record<string, string> = { EOS: 'edge' };

/** Optimizers of the golden streams, by the constants that their thresholds show. */
function optimizerOf(stream: Golden['cases'][number]): Record<string, unknown> {
  const perRate = stream.rows[0]![3]! * stream.rows[0]![4]!;
  if (stream.optimizer === 'adam') return { name: 'adam', beta1: (perRate - 2) / (perRate + 2) };
  if (stream.optimizer === 'polyak') return { name: 'sgd', momentum: perRate / 2 - 1 };
  if (stream.optimizer === 'nesterov') return { name: 'sgd', momentum: 0.5, nesterov: true };
  return { name: 'sgd' };
}

describe('judgeLines', () => {
  it.each(golden.cases)('$name: finds the stages from lr and optimizer alone', async (stream) => {
    const optimizer = optimizerOf(stream);
    const sharpness = stream.optimizer === 'adam' ? 'sharpness.preconditioned' : 'sharpness';
    const lines = [
      JSON.stringify({ run: { loss: stream.loss === 'ce' ? 'cross-entropy' : 'mse', optimizer, batch: 'full' } }),
      ...stream.rows.map(([step, loss, s, lr]) => JSON.stringify({ step, readings: { 'loss.train': loss, lr, [sharpness]: s } })),
    ];
    const stages = (await judged(lines)).flatMap((line) =>
      line.kind === 'finding' && line.finding.kind === 'stage' ? [[line.finding.step, line.finding.to, line.finding.detail]] : [],
    );
    const expected = stream.expected_events.map(([step, stage, detail]) => [step, words[stage] ?? stage.toLowerCase(), detail]);
    expect(stages.slice(1)).toEqual(expected.slice(1));
  });

  it.each(golden.cases)('$name: finds the same when every value is sent only when it changes', async (stream) => {
    const adaptive = stream.optimizer === 'adam';
    const head = JSON.stringify({ run: { loss: 'mse', optimizer: optimizerOf(stream), batch: 'full' } });
    const steps = stream.rows.map(([step, loss, sharpness, lr]) => ({
      step: step!,
      readings: { 'loss.train': loss!, lr: lr!, [adaptive ? 'sharpness.preconditioned' : 'sharpness']: sharpness! },
    }));
    const whole = await judged([head, ...steps.map((step) => JSON.stringify(step))]);
    const changes = await judged([head, ...onChange(steps).map((step) => JSON.stringify(step))]);
    expect(whole.length).toBeGreaterThan(2);
    expect(changes).toEqual(whole);
  });

  it('judges what came before a line that it does not understand, and names that line', async () => {
    const lines = [sgd, '{"step":0,"readings":{"loss.train":1,"lr":0.1,"sharpness":"nan"}}', '', '{"step":1,"readings":'];
    const result = await judged([...lines, '{"step":2,"readings":{"loss.train":"inf"}}']);
    expect(result.map((line) => (line.kind === 'error' ? [line.line, line.message] : line.finding.kind))).toEqual([
      'divergence_risk',
      [4, 'this is not JSON'],
    ]);
  });

  it('gives each finding before it asks for the next line', async () => {
    const asked: number[] = [];
    function* lines(): Generator<string> {
      yield sgd;
      for (let step = 0; ; step++) {
        asked.push(step);
        yield JSON.stringify({ step, readings: { 'loss.train': step === 3 ? 'nan' : 1 } });
      }
    }
    for await (const line of judgeLines(lines())) {
      expect(line).toMatchObject({ kind: 'finding', finding: { run: 'run', attempt: 1, step: 3 } });
      break;
    }
    expect(asked).toEqual([0, 1, 2, 3]);
  });

  it.each([
    [['{"step":0,"readings":{}}'], 1, /first line/],
    [['{"run":{"optimizer":{"name":"sgd"},"loss":"hinge"}}'], 1, /run\.loss is "hinge"/],
    [['{"run":{"optimizer":{}}}'], 1, /optimizer/],
    [['{"run":{"optimizer":{"name":"sgd","momentum":"0.9"}}}'], 1, /momentum is "0\.9"/],
    [['{"run":{"optimizer":{"name":"sgd"},"batch":"half"}}'], 1, /run\.batch/],
    [[sgd, '[1]'], 2, /object/],
    [[sgd, '{"step":1.5,"readings":{}}'], 2, /step is 1\.5/],
    [[sgd, '{"step":1}'], 2, /readings/],
    [[sgd, '{"step":1,"readings":{"lr":null}}'], 2, /readings\.lr is null/],
    [[sgd, '{"step":1,"readings":{}}', '{"step":1,"readings":{}}'], 3, /does not come after/],
    [[], 1, /no line for the run/],
  ])('names line and fault: %j', async (lines, number, message) => {
    expect(await judged(lines)).toEqual([{ kind: 'error', line: number, message: expect.stringMatching(message) }]);
  });
});
