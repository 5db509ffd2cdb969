import { fill, h } from '../dom.js';
import { formatCount } from '../format.js';
import type { RunModel } from '../model/run-model.js';
import { stageName, stageSpans } from '../stages.js';

/** The whole run as one bar of stages; a stage shows itself in the charts when it is chosen. */
export class Timeline {
  readonly element = h('div', { class: 'timeline', role: 'group', 'aria-label': 'Stages of the run' });
  private drawn = '';

  constructor(private readonly zoom: (min: number, max: number) => void) {}

  update(model: RunModel): void {
    const steps = model.steps;
    const spans = stageSpans(model.findings, model.starts);
    this.element.hidden = spans.length === 0 || steps === undefined;
    if (steps === undefined || spans.length === 0) return;
    const shape = JSON.stringify([spans, steps]);
    if (shape === this.drawn) return;
    this.drawn = shape;
    fill(
      this.element,
      spans.map((span) => {
        const end = Math.min(span.end, steps.last);
        const length = Math.max(0, end - span.start);
        const range = `steps ${formatCount(span.start)}–${span.end === Infinity ? 'now' : formatCount(span.end)}`;
        const segment = h(
          'button',
          {
            type: 'button',
            class: 'segment',
            'data-stage': span.stage,
            title: `${stageName(span.stage)}, ${range}`,
            'aria-label': `${stageName(span.stage)}, ${range}: show it`,
            onclick: () => this.zoom(span.start, Math.max(end, span.start + 1)),
          },
          h('span', { class: 'segment-name' }, stageName(span.stage)),
          h('span', { class: 'segment-range number' }, range.replace('steps ', '')),
        );
        // Not to scale: a short stage is as much of the story as a long one.
        segment.style.flexGrow = String(Math.sqrt(Math.max(length, 1)));
        return segment;
      }),
    );
  }
}
