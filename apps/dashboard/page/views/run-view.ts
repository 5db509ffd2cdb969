import type { FindingBody } from '#dashboard/events/http.js';
import { isComparedPreconditioned } from '../optimizer.js';
import { Board } from '../charts/board.js';
import { Chart } from '../charts/chart.js';
import { mainCharts, otherCharts, type ChartSpec } from '../charts/spec.js';
import { fill, h, setText } from '../dom.js';
import { formatCount } from '../format.js';
import type { Api } from '../live/api.js';
import { RunWatch } from '../live/run-watch.js';
import type { LiveSocket, LiveState } from '../live/subscription.js';
import type { Change, RunModel } from '../model/run-model.js';
import { ProbePanel } from './probe-panel.js';
import { RunHead } from './run-head.js';
import { Story } from './story.js';
import { Timeline } from './timeline.js';
import type { View } from './view.js';

const maxOtherCharts = 60;
const clockMs = 5000;

/** One run: its head, its stages, its charts, its story. */
export class RunView implements View {
  title = 'Run';
  readonly element = h('main', { class: 'page run-page' }, h('p', { class: 'loading' }, 'Fetching the run…'));
  private readonly head = new RunHead();
  private readonly probe = new ProbePanel();
  private readonly story: Story;
  private readonly timeline: Timeline;
  private readonly board: Board;
  private readonly watch: RunWatch;
  private readonly main = h('div', { class: 'charts' });
  private readonly others = h('div', { class: 'charts' });
  private readonly otherHead: HTMLElement;
  private readonly otherFilter: HTMLInputElement;
  private readonly zoomBar: HTMLElement;
  private readonly zoomText = h('span', { class: 'number' });
  private readonly charts = new Map<string, Chart>();
  private readonly clock: ReturnType<typeof setInterval>;
  private stopListening: () => void = () => undefined;
  private readonly stepsButton: HTMLButtonElement;
  private laidOut = false;
  private starts = '';

  constructor(run: string, socket: LiveSocket, api: Api, state: (state: LiveState, reason?: string) => void) {
    this.board = new Board({
      want: (name, key) => void this.watch.want(name, key).catch(() => undefined),
      refine: (name, key, from, to) => void this.watch.refine(name, key, from, to).catch(() => undefined),
      chosen: (finding) => this.story.mark(finding?.id),
      zoomed: (view) => {
        this.zoomBar.hidden = view === undefined;
        if (view !== undefined) setText(this.zoomText, `steps ${formatCount(view.min)}–${formatCount(view.max)}`);
      },
    });
    this.stepsButton = h(
      'button',
      {
        type: 'button',
        class: 'tool',
        title: 'Logarithmic steps: room for what happens early (X)',
        'aria-pressed': String(this.board.logSteps),
        onclick: () => this.toggleSteps(),
      },
      'log steps',
    );
    this.story = new Story((finding) => this.show(finding));
    this.timeline = new Timeline((min, max) => this.board.zoom(min, max));
    this.otherFilter = h('input', {
      type: 'search',
      class: 'filter',
      placeholder: 'Filter series…',
      'aria-label': 'Filter series',
      oninput: () => this.drawCharts(),
    });
    this.otherHead = h('div', { class: 'section-head', hidden: true }, h('h2', {}, 'Other series'), this.otherFilter);
    this.zoomBar = h(
      'div',
      { class: 'zoom-bar', hidden: true },
      this.zoomText,
      h('button', { type: 'button', class: 'tool', onclick: () => this.board.resetZoom() }, 'Show all ', h('kbd', {}, 'R')),
    );
    this.watch = new RunWatch(socket, api, run, {
      model: (model) => this.take(model),
      state,
      missing: (message) =>
        fill(
          this.element,
          h(
            'section',
            { class: 'empty-state' },
            h('h2', {}, 'This run is not here'),
            h('p', {}, message),
            h('a', { href: '/' }, 'All runs'),
          ),
        ),
    });
    this.watch.start();
    this.clock = setInterval(() => this.board.model !== undefined && this.head.update(this.board.model), clockMs);
  }

  close(): void {
    clearInterval(this.clock);
    this.stopListening();
    this.watch.close();
    this.board.close();
  }

  onKey(event: KeyboardEvent): boolean {
    const by = ({ n: 1, p: -1 } as const)[event.key];
    if (event.key === 'r') this.board.resetZoom();
    else if (event.key === 'x') this.toggleSteps();
    else if (event.key === 'l') for (const chart of this.charts.values()) chart.toggleLog();
    else if (event.key === 'Escape') {
      if (!this.board.zoomed && this.board.chosen === undefined) return false;
      this.board.choose(undefined);
      this.board.resetZoom();
    } else if (by !== undefined) {
      const next = this.story.neighbour(this.board.chosen, by);
      if (next !== undefined) this.show(next);
    } else return false;
    return true;
  }

  private toggleSteps(): void {
    this.board.toggleSteps();
    this.stepsButton.setAttribute('aria-pressed', String(this.board.logSteps));
  }

  private show(finding: FindingBody): void {
    this.board.focus(finding);
    if (matchMedia('(max-width: 1000px)').matches) this.main.scrollIntoView({ block: 'start' });
  }

  private take(model: RunModel): void {
    this.stopListening();
    this.stopListening = model.onChange((changes) => this.update(model, changes));
    if (!this.laidOut) {
      this.laidOut = true;
      fill(
        this.element,
        this.head.element,
        h('div', { class: 'stages' }, this.timeline.element, this.stepsButton),
        h(
          'div',
          { class: 'run-body' },
          h('div', { class: 'run-charts' }, this.main, this.otherHead, this.others),
          h('aside', { class: 'rail' }, this.story.element, this.probe.element),
        ),
        this.zoomBar,
      );
    }
    this.drawCharts(model);
    this.board.setModel(model);
    this.update(model, new Set(['run', 'findings', 'instruments']));
  }

  private update(model: RunModel, changes: ReadonlySet<Change>): void {
    if (changes.has('deleted')) {
      fill(
        this.element,
        h('section', { class: 'empty-state' }, h('h2', {}, 'This run was deleted'), h('a', { href: '/' }, 'All runs')),
      );
      return;
    }
    if (changes.has('names')) this.drawCharts(model);
    if (changes.has('run') || changes.has('findings') || changes.has('lines')) {
      this.head.update(model);
      this.timeline.update(model);
      this.title = model.run?.name ?? 'Run';
    }
    if (changes.has('findings') || changes.has('run') || this.startsMoved(model)) {
      this.story.update(model);
      this.board.readFindings();
    }
    if (changes.has('instruments') || changes.has('run') || changes.has('findings')) this.probe.update(model);
    if (changes.has('lines') || changes.has('instruments')) this.board.drawAll();
  }

  /** A further attempt changes what belongs to the path. */
  private startsMoved(model: RunModel): boolean {
    const starts = [...model.starts].join();
    const moved = starts !== this.starts;
    this.starts = starts;
    return moved;
  }

  private drawCharts(model = this.board.model): void {
    if (model === undefined) return;
    const names = [...model.names.values()];
    const words = this.otherFilter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const others = otherCharts(names);
    const shown = others.filter(({ title }) => words.every((word) => title.toLowerCase().includes(word)));
    this.otherHead.hidden = others.length === 0;
    this.otherFilter.hidden = others.length < 6;
    this.place(this.main, mainCharts(names, isComparedPreconditioned(model.run?.optimizer ?? {})));
    this.place(this.others, shown.slice(0, maxOtherCharts));
  }

  private place(parent: HTMLElement, specs: readonly ChartSpec[]): void {
    const wanted = specs.map((spec) => {
      const before = this.charts.get(spec.id);
      if (before !== undefined && JSON.stringify(before.spec) === JSON.stringify(spec)) return before;
      before?.close();
      const chart = new Chart(spec, this.board);
      this.charts.set(spec.id, chart);
      return chart;
    });
    const keep = new Set(wanted.map(({ element }) => element));
    for (const [id, chart] of this.charts) {
      if (chart.element.parentElement !== parent || keep.has(chart.element)) continue;
      chart.close();
      this.charts.delete(id);
    }
    wanted.forEach(({ element }, i) => {
      if (parent.children[i] !== element) parent.insertBefore(element, parent.children[i] ?? null);
    });
  }
}
