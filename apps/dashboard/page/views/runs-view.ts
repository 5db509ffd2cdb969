import type { RunBody } from '#dashboard/events/http.js';
import { fill, h, setText } from '../dom.js';
import { formatAgo, formatCount } from '../format.js';
import type { Api } from '../live/api.js';
import { RunsWatch } from '../live/runs-watch.js';
import type { LiveSocket, LiveState } from '../live/subscription.js';
import type { RunsModel } from '../model/runs-model.js';
import { stageName } from '../stages.js';
import { DeadLettersPanel } from './dead-letters-panel.js';
import { emptyState } from './empty-state.js';
import { measuringNote, stageChip, statusBadge } from './parts.js';
import { Sparks } from './sparks.js';
import type { View } from './view.js';

interface Row {
  readonly element: HTMLAnchorElement;
  readonly stage: HTMLElement;
  readonly name: HTMLElement;
  readonly project: HTMLElement;
  readonly step: HTMLElement;
  readonly bar: HTMLElement;
  readonly spark: HTMLElement;
  readonly status: HTMLElement;
  readonly seen: HTMLElement;
  drawn: RunBody | undefined;
}

/** All runs, newest first, live. */
export class RunsView implements View {
  readonly title = 'Runs';
  readonly element: HTMLElement;
  private readonly watch: RunsWatch;
  private readonly sparks: Sparks;
  private readonly deadLetters: DeadLettersPanel;
  private readonly rows = new Map<string, Row>();
  private readonly list = h('div', { class: 'runs', role: 'list' });
  private readonly more = h(
    'button',
    { class: 'tool more-runs', type: 'button', onclick: () => void this.watch.more() },
    'Older runs',
  );
  private readonly count = h('span', { class: 'muted', role: 'status' });
  private readonly filter: HTMLInputElement;
  private readonly body = h('div', { class: 'runs-body' }, h('p', { class: 'loading' }, 'Looking for runs…'));
  private readonly clock: ReturnType<typeof setInterval>;
  private model: RunsModel | undefined;
  private frame = 0;

  constructor(socket: LiveSocket, api: Api, state: (state: LiveState, reason?: string) => void) {
    this.filter = h('input', {
      type: 'search',
      class: 'filter',
      placeholder: 'Filter by name, project, stage, tag…',
      'aria-label': 'Filter runs',
      oninput: () => this.draw(),
    });
    this.deadLetters = new DeadLettersPanel(api);
    this.element = h(
      'main',
      { class: 'page runs-page' },
      h('div', { class: 'page-head' }, h('h1', {}, 'Runs'), this.count, this.filter),
      this.deadLetters.element,
      this.body,
    );
    this.sparks = new Sparks(api);
    this.watch = new RunsWatch(socket, api, {
      model: (model) => {
        this.model = model;
        model.onChange = () => this.draw();
        this.draw();
      },
      state,
    });
    this.watch.start();
    this.clock = setInterval(() => this.draw(), 5000);
  }

  close(): void {
    this.watch.close();
    this.sparks.close();
    this.deadLetters.close();
    clearInterval(this.clock);
    cancelAnimationFrame(this.frame);
  }

  onKey(event: KeyboardEvent): boolean {
    if (event.key === '/') {
      this.filter.focus();
      return true;
    }
    const moves: Readonly<Record<string, number>> = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 };
    const by = moves[event.key];
    const typing = document.activeElement === this.filter;
    if (by === undefined || (typing && event.key.length === 1)) return false;
    const links = [...this.list.querySelectorAll<HTMLElement>('.run-row')];
    const at = links.findIndex((link) => link === document.activeElement);
    links[at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.max(0, Math.min(links.length - 1, at + by))]?.focus();
    return true;
  }

  private draw(): void {
    if (this.frame === 0) {
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        this.drawNow();
      });
    }
  }

  private drawNow(): void {
    if (this.model === undefined) return;
    const all = this.model.runs;
    if (all.length === 0) {
      this.filter.hidden = true;
      setText(this.count, '');
      if (this.body.firstElementChild?.classList.contains('empty-state') !== true) fill(this.body, emptyState(location.hostname));
      return;
    }
    this.filter.hidden = false;
    if (this.list.parentElement !== this.body) fill(this.body, columnHeads(), this.list, this.more);
    this.more.hidden = this.model.next === undefined;
    const shown = all.filter((run) => matches(run, this.filter.value));
    const running = all.filter((run) => run.status === 'running').length;
    setText(this.count, `${shown.length === all.length ? all.length : `${shown.length} of ${all.length}`} · ${running} running`);
    for (const [id, row] of this.rows) {
      if (all.some((run) => run.run === id)) continue;
      this.sparks.forget(row.spark);
      row.element.remove();
      this.rows.delete(id);
    }
    const wanted = shown.map((run) => this.row(run));
    // Moving only what is out of place keeps the focus where it is.
    wanted.forEach((row, i) => {
      if (this.list.children[i] !== row.element) this.list.insertBefore(row.element, this.list.children[i] ?? null);
    });
    while (this.list.children.length > wanted.length) this.list.lastElementChild?.remove();
  }

  private row(run: RunBody): Row {
    let row = this.rows.get(run.run);
    if (row === undefined) this.rows.set(run.run, (row = newRow(run.run)));
    if (row.drawn !== run) {
      fill(row.stage, stageChip(run.stage, run.stageDetail));
      setText(row.name, run.name);
      setText(row.project, [run.project, run.framework].filter((part) => part !== '').join(' · '));
      setText(
        row.step,
        run.plannedSteps > 0 ? `${formatCount(run.step)} / ${formatCount(run.plannedSteps)}` : formatCount(run.step),
      );
      const share = run.plannedSteps > 0 ? Math.min(1, run.step / run.plannedSteps) : 0;
      row.bar.style.setProperty('--share', String(share));
      row.bar.hidden = run.plannedSteps === 0;
      fill(row.status, statusBadge(run.status), measuringNote(run.measuring));
      this.sparks.watch(row.spark, run.run, run.step);
      row.drawn = run;
    }
    setText(row.seen, formatAgo(Date.now() - run.seenMs));
    return row;
  }
}

function newRow(run: string): Row {
  const cell = (name: string): HTMLElement => h('span', { class: `cell ${name}` });
  const [stage, spark, status, seen] = [cell('stage'), cell('spark-cell'), cell('status-cell'), cell('seen')];
  const name = h('strong', { class: 'run-name' });
  const project = h('span', { class: 'muted run-project' });
  const step = h('span', { class: 'number' });
  const bar = h('span', { class: 'bar' });
  const element = h(
    'a',
    { class: 'run-row', href: `/runs/${run}`, role: 'listitem' },
    h('span', { class: 'cell title' }, name, project),
    stage,
    h('span', { class: 'cell progress' }, step, bar),
    spark,
    status,
    seen,
  );
  return { element, stage, name, project, step, bar, spark, status, seen, drawn: undefined };
}

function columnHeads(): HTMLElement {
  const heads = ['Run', 'Stage', 'Step', 'Loss', 'Status', 'Last seen'];
  return h(
    'div',
    { class: 'run-heads', 'aria-hidden': 'true' },
    heads.map((head) => h('span', {}, head)),
  );
}

function matches(run: RunBody, filter: string): boolean {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const tags = Object.entries(run.tags).map(([key, value]) => `${key}=${value}`);
  const text = [run.name, run.project, run.framework, run.run, run.status, run.stage, stageName(run.stage), ...tags]
    .join(' ')
    .toLowerCase();
  return words.every((word) => text.includes(word));
}
