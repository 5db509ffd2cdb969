import type { RunBody } from '#dashboard/events/http.js';
import { fill, h } from '../dom.js';
import { formatAgo, formatCount, formatValue } from '../format.js';
import type { RunModel } from '../model/run-model.js';
import { describeOptimizer } from '../optimizer.js';
import { stageSpans } from '../stages.js';
import { measuringNote, stageChip, statusBadge } from './parts.js';

/** Name, stage, state, and the constants that decide where the edge lies. */
export class RunHead {
  readonly element = h('header', { class: 'run-head' });
  private drawn = '';

  update(model: RunModel): void {
    const { run } = model;
    if (run === undefined) return;
    const since = stageSpans(model.findings, model.starts).at(-1)?.start;
    const rate = model.linesOf('lr', '')[0]?.latest()?.value;
    const seen = formatAgo(Date.now() - run.seenMs);
    const shape = JSON.stringify([run, since, rate, seen]);
    if (shape === this.drawn) return;
    this.drawn = shape;
    fill(
      this.element,
      h(
        'div',
        { class: 'run-title' },
        h('h1', {}, run.name),
        h(
          'div',
          { class: 'run-state' },
          stageChip(run.stage, run.stageDetail),
          since !== undefined && h('span', { class: 'muted' }, `since step ${formatCount(since)}`),
          statusBadge(run.status),
          measuringNote(run.measuring),
          h('span', { class: 'muted' }, `seen ${seen}`),
        ),
      ),
      run.message !== '' && h('pre', { class: 'end-message', 'data-status': run.status }, run.message),
      h('dl', { class: 'facts' }, facts(run, rate)),
    );
  }
}

function facts(run: RunBody, rate: number | undefined): HTMLElement[] {
  const optimizer = describeOptimizer(run.optimizer, rate);
  const loss = [run.loss.kind, run.loss.reduction === 'unknown' ? '' : run.loss.reduction, run.loss.halved ? 'halved' : ''];
  const rows: [string, string][] = [
    ['Step', run.plannedSteps > 0 ? `${formatCount(run.step)} of ${formatCount(run.plannedSteps)}` : formatCount(run.step)],
    ['Optimizer', [optimizer.name, ...optimizer.constants.map(([symbol, value]) => `${symbol} ${value}`)].join(', ')],
  ];
  if (optimizer.rate !== undefined) rows.push(['η', formatValue(optimizer.rate)]);
  if (optimizer.formula !== undefined && optimizer.threshold !== undefined)
    rows.push(['Θ', `${optimizer.formula} = ${formatValue(optimizer.threshold)}`]);
  rows.push([
    'Loss',
    loss
      .filter((part) => part !== '')
      .join(', ')
      .replaceAll('_', ' '),
  ]);
  rows.push(['Batch', batchText(run)]);
  if (run.attempt > 1) rows.push(['Attempt', String(run.attempt)]);
  rows.push(['Project', run.project]);
  if (run.framework !== '') rows.push(['From', run.framework]);
  for (const [tag, value] of Object.entries(run.tags)) rows.push([tag, value]);
  return rows.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value)));
}

/** "full" only where the job has said so. */
function batchText({ batchSize, fullBatch }: RunBody): string {
  if (fullBatch) return 'full';
  return batchSize === 0 ? 'not known' : formatCount(batchSize);
}
