import uPlot from 'uplot';
import { h, setText } from '../dom.js';
import { formatCount, formatValue } from '../format.js';
import type { Line } from '../model/line.js';
import { recall, remember } from '../theme.js';
import { drawReference, drawStrip } from './backdrop.js';
import type { Board } from './board.js';
import { Columns } from './columns.js';
import { Legend } from './legend.js';
import { drawAttempts, drawBroken, drawFindings, drawStrays, findingsAt } from './marks.js';
import { plotOptions, type DrawnTrace } from './plot-options.js';
import type { ChartSpec, SeriesSpec } from './spec.js';
import { hideTip, showTip } from './tip.js';

const plotHeight = 210;
const phoneHeight = 170;
const minDragPixels = 4;

/** One chart: its frame, its legend, and the canvas, which exists only once it has come into sight. */
export class Chart {
  readonly element: HTMLElement;
  private readonly plot = h('div', { class: 'plot', role: 'img' });
  private readonly note = h('p', { class: 'chart-note', hidden: true });
  private readonly logButton: HTMLButtonElement;
  private readonly legend: Legend;
  private readonly columns = new Columns();
  private readonly observers: { disconnect(): void }[] = [];
  private traces: readonly DrawnTrace[] = [];
  private built = '';
  private u: uPlot | undefined;
  private seen = false;
  private asked: unknown;
  private logarithmic: boolean;

  constructor(
    readonly spec: ChartSpec,
    private readonly board: Board,
  ) {
    this.logarithmic = recall(this.logKey) === 'log';
    this.legend = new Legend();
    this.logButton = h(
      'button',
      {
        type: 'button',
        class: 'tool',
        title: 'Logarithmic scale (L)',
        'aria-pressed': String(this.logarithmic),
        onclick: () => this.toggleLog(),
      },
      'log',
    );
    const id = `chart-${spec.id.replaceAll(/[^a-z0-9]/gi, '-')}`;
    this.element = h(
      'section',
      {
        class: 'chart',
        tabindex: 0,
        'aria-labelledby': id,
        'data-chart': spec.id,
        onkeydown: (event: KeyboardEvent) => this.onKey(event),
      },
      h('header', { class: 'chart-head' }, h('h3', { id }, spec.title), h('div', { class: 'tools' }, this.logButton)),
      this.legend.element,
      this.plot,
      this.note,
    );
    board.add(this);
    this.observe();
  }

  get inSight(): boolean {
    return this.seen;
  }

  get lines(): readonly Line[] {
    return this.traces.map(({ line }) => line);
  }

  close(): void {
    for (const observer of this.observers) observer.disconnect();
    this.u?.destroy();
    this.board.remove(this);
    this.element.remove();
  }

  /** Asks for the series of this chart, once a model and not before somebody can see it. */
  ask(): void {
    const { model } = this.board;
    if (!this.seen || model === undefined || this.asked === model) return;
    this.asked = model;
    for (const { name, key } of this.spec.series) this.board.handlers.want(name, key);
  }

  /** After the theme or the scale changed. */
  rebuild(): void {
    this.built = '';
    this.board.draw(this);
  }

  toggleLog(): void {
    this.logarithmic = !this.logarithmic;
    remember(this.logKey, this.logarithmic ? 'log' : undefined);
    this.logButton.setAttribute('aria-pressed', String(this.logarithmic));
    this.rebuild();
  }

  drawNow(): void {
    const { model } = this.board;
    if (!this.seen || model === undefined) return;
    this.traces = this.spec.series.flatMap((spec, i) =>
      model
        .linesOf(spec.name, spec.key)
        .filter((line) => line.size > 0)
        .map((line) => ({ line, spec, colour: this.colourOf(spec, i) })),
    );
    this.columns.update(
      this.traces.map(({ line, spec }) => ({ line, bounds: spec.bounds === true })),
      model.starts,
      this.logarithmic,
    );
    if (this.sayWhenEmpty()) return;
    const shape = JSON.stringify([
      this.traces.map(({ spec, line }) => [spec.name, spec.key, line.rank]),
      this.logarithmic,
      this.board.logSteps,
    ]);
    if (this.u === undefined || shape !== this.built) this.build(shape);
    else this.u.setData(this.data());
    this.legend.update(this.traces, model.starts);
    this.describe();
  }

  cursorTo(step: number | undefined): void {
    if (this.u === undefined) return;
    if (step === undefined) this.u.setCursor({ left: -10, top: -10 });
    else this.u.setCursor({ left: this.u.valToPos(step, 'x'), top: this.u.bbox.height / devicePixelRatio / 2 });
  }

  private get logKey(): string {
    return `stagewatch.scale.${this.spec.id}`;
  }

  private colourOf(spec: SeriesSpec, index: number): string {
    const { palette } = this.board;
    return spec.dashed === true ? palette.threshold : palette.series[index % palette.series.length]!;
  }

  private data(): uPlot.AlignedData {
    return [this.columns.steps, ...this.columns.columns] as uPlot.AlignedData;
  }

  private build(shape: string): void {
    this.u?.destroy();
    this.built = shape;
    const { width, height } = this.size();
    const options = plotOptions({
      board: this.board,
      traces: this.traces,
      logarithmic: this.logarithmic,
      reference: this.spec.reference?.value,
      width,
      height,
      draw: (u) => this.drawMarks(u),
      select: (u) => this.onSelect(u),
      cursor: (u) => this.onCursor(u),
    });
    this.u = new uPlot(options, this.data(), this.plot);
    this.listen(this.u);
  }

  private drawMarks(u: uPlot): void {
    const { board, spec } = this;
    const { palette, model } = board;
    drawStrip(u, board.spans, palette);
    drawStrays(
      u,
      this.columns.strays,
      this.traces.map(({ colour }) => colour),
    );
    if (spec.reference !== undefined) drawReference(u, spec.reference.value, spec.reference.label, palette);
    if (model !== undefined && model.starts.size > 1) drawAttempts(u, model.starts, palette);
    drawFindings(u, board.findings, board.chosen, palette);
    drawBroken(u, this.columns.broken, palette);
  }

  private onSelect(u: uPlot): void {
    const { left, width } = u.select;
    if (width < minDragPixels) return;
    const min = u.posToVal(left, 'x');
    const max = u.posToVal(left + width, 'x');
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.board.zoom(min, max);
  }

  private onCursor(u: uPlot): void {
    const { left = -1, idx } = u.cursor;
    const step = left < 0 || idx === null || idx === undefined ? undefined : this.columns.steps[idx];
    this.legend.cursor(step);
  }

  private listen(u: uPlot): void {
    const { over } = u;
    const pointer = (event: MouseEvent): number => event.clientX - over.getBoundingClientRect().left;
    over.addEventListener('pointermove', (event) => {
      const left = pointer(event);
      if (event.pointerType !== 'mouse') this.board.cursorTo(u.posToVal(left, 'x'));
      const found = findingsAt(u, left, this.board.findings);
      if (found.length > 0) showTip(event.clientX, event.clientY, found, this.board.palette);
      else hideTip();
      over.style.cursor = found.length > 0 ? 'pointer' : '';
    });
    over.addEventListener('pointerleave', hideTip);
    over.addEventListener('click', (event) => {
      const [found] = findingsAt(u, pointer(event), this.board.findings);
      if (found !== undefined) this.board.choose(found);
    });
  }

  private onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLButtonElement) return;
    const step = this.legend.step ?? this.board.view.max;
    const actions: Readonly<Record<string, () => void>> = {
      l: () => this.toggleLog(),
      '+': () => this.board.zoomBy(0.5, step),
      '=': () => this.board.zoomBy(0.5, step),
      '-': () => this.board.zoomBy(2, step),
      ArrowLeft: () => this.moveCursor(event.shiftKey ? -10 : -1),
      ArrowRight: () => this.moveCursor(event.shiftKey ? 10 : 1),
    };
    const action = actions[event.key];
    if (action === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }

  private moveCursor(by: number): void {
    const { steps } = this.columns;
    const { min, max } = this.board.view;
    const from = this.legend.step ?? (by > 0 ? min : max);
    let at = steps.findIndex((step) => step >= from);
    if (at < 0) at = steps.length - 1;
    const next = steps[Math.max(0, Math.min(steps.length - 1, at + by))];
    if (next !== undefined) this.board.cursorTo(Math.max(min, Math.min(max, next)));
  }

  /** True when there is nothing to draw. */
  private sayWhenEmpty(): boolean {
    const empty = this.columns.steps.length === 0;
    this.plot.classList.toggle('empty', empty);
    const own = this.board.model?.instruments.filter(({ instrument }) => this.spec.instruments?.includes(instrument)) ?? [];
    const parts = empty ? own.filter(({ on }) => !on).map(({ reason }) => `Off: ${reason}`) : [];
    if (empty && parts.length === 0) parts.push('Nothing yet.');
    // What is on may have something to say of how it is to be read.
    for (const { on, reason } of own) if (on && reason !== '') parts.push(`${reason}.`);
    if (this.columns.hidden > 0)
      parts.push(`${formatCount(this.columns.hidden)} points at or below 0 cannot be shown on this scale.`);
    setText(this.note, parts.join(' '));
    this.note.hidden = parts.length === 0;
    if (empty) {
      this.u?.destroy();
      this.u = undefined;
    }
    return empty;
  }

  private describe(): void {
    const { min, max } = this.board.view;
    const values = this.traces.map(({ line, spec }) => `${spec.label} ${formatValue(line.latest()?.value ?? Number.NaN)}`);
    const label = `${this.spec.title}, steps ${Math.round(min)} to ${Math.round(max)}. Latest: ${values.join(', ') || 'nothing yet'}.`;
    if (this.plot.getAttribute('aria-label') !== label) this.plot.setAttribute('aria-label', label);
  }

  private size(): { width: number; height: number } {
    const width = Math.max(160, this.plot.clientWidth);
    return { width, height: width < 420 ? phoneHeight : plotHeight };
  }

  private observe(): void {
    const sight = new IntersectionObserver(
      (entries) => {
        this.seen = entries.at(-1)?.isIntersecting === true;
        if (!this.seen) return;
        this.ask();
        this.board.draw(this);
      },
      { rootMargin: '200px' },
    );
    sight.observe(this.element);
    const resize = new ResizeObserver(() => {
      const { width, height } = this.size();
      if (this.u !== undefined && (this.u.width !== width || this.u.height !== height)) this.u.setSize({ width, height });
    });
    resize.observe(this.plot);
    this.observers.push(sight, resize);
  }
}
