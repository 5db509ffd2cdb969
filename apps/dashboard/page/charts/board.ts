import type { FindingBody } from '#dashboard/events/http.js';
import type { RunModel } from '../model/run-model.js';
import { isAbandoned, stageSpans, type StageSpan } from '../stages.js';
import { onTheme, readPalette, recall, remember, type Palette } from '../theme.js';
import type { Chart } from './chart.js';

export interface BoardHandlers {
  want(name: string, key: string): void;
  /** Asks for more points of what is in sight. */
  refine(name: string, key: string, from: number, to: number): void;
  chosen(finding: FindingBody | undefined): void;
  zoomed(view: View | undefined): void;
}

export interface View {
  readonly min: number;
  readonly max: number;
}

/** A turn of drawing may take so long before the page gets a breath. */
const drawBudgetMs = 12;
const refineDelayMs = 180;
const stepsKey = 'stagewatch.steps';

let boards = 0;

/** What the charts of a page share: the run, the stretch in sight, the cursor, the marks, and turns of drawing. */
export class Board {
  readonly syncKey = `board-${++boards}`;
  palette: Palette = readPalette();
  spans: readonly StageSpan[] = [];
  findings: readonly FindingBody[] = [];
  chosen: string | undefined;
  /** Steps on a logarithmic axis: what happens early gets room. */
  logSteps = recall(stepsKey) === 'log';
  private zoomView: View | undefined;
  private held: RunModel | undefined;
  private readonly charts = new Set<Chart>();
  private readonly dirty = new Set<Chart>();
  private frame = 0;
  private refineTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly stopTheme: () => void;

  constructor(readonly handlers: BoardHandlers) {
    this.stopTheme = onTheme(() => {
      this.palette = readPalette();
      for (const chart of this.charts) chart.rebuild();
    });
  }

  get model(): RunModel | undefined {
    return this.held;
  }

  /** The stretch in sight: the zoom, or everything. */
  get view(): View {
    if (this.zoomView !== undefined) return this.zoomView;
    const steps = this.held?.steps;
    if (steps === undefined) return { min: 0, max: 1 };
    return { min: steps.first, max: Math.max(steps.last, steps.first + 1) };
  }

  get zoomed(): boolean {
    return this.zoomView !== undefined;
  }

  add(chart: Chart): void {
    this.charts.add(chart);
  }

  remove(chart: Chart): void {
    this.charts.delete(chart);
    this.dirty.delete(chart);
  }

  close(): void {
    this.stopTheme();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.refineTimer);
    for (const chart of this.charts) chart.close();
  }

  setModel(model: RunModel): void {
    this.held = model;
    this.readFindings();
    for (const chart of this.charts) {
      chart.ask();
      this.draw(chart);
    }
  }

  readFindings(): void {
    const model = this.held;
    if (model === undefined) return;
    this.spans = stageSpans(model.findings, model.starts);
    this.findings = model.findings.filter((finding) => !isAbandoned(finding, model.starts));
    this.drawAll();
  }

  zoom(min: number, max: number): void {
    const whole = this.whole();
    const from = Math.max(whole.min, Math.min(min, max));
    const to = Math.min(whole.max, Math.max(min, max));
    if (to - from < 0.5) return;
    this.zoomView = from <= whole.min && to >= whole.max ? undefined : { min: from, max: to };
    this.viewChanged();
  }

  /** By a factor around a step; below 1 comes closer. */
  zoomBy(factor: number, around?: number): void {
    const { min, max } = this.view;
    const centre = around ?? (min + max) / 2;
    this.zoom(centre - (centre - min) * factor, centre + (max - centre) * factor);
  }

  resetZoom(): void {
    this.zoomView = undefined;
    this.viewChanged();
  }

  toggleSteps(): void {
    this.logSteps = !this.logSteps;
    remember(stepsKey, this.logSteps ? 'log' : undefined);
    this.drawAll();
  }

  choose(finding: FindingBody | undefined): void {
    this.chosen = finding?.id;
    this.drawAll();
    this.handlers.chosen(finding);
  }

  /** Shows where a finding was made, with something before and after it. */
  focus(finding: FindingBody): void {
    const whole = this.whole();
    const reach = Math.max(finding.step - finding.onset, (whole.max - whole.min) * 0.04, 12);
    this.zoom(finding.onset - reach * 0.6, finding.step + reach);
    this.choose(finding);
  }

  /** The shared cursor; undefined takes it away. */
  cursorTo(step: number | undefined): void {
    for (const chart of this.charts) chart.cursorTo(step);
  }

  drawAll(): void {
    for (const chart of this.charts) this.draw(chart);
  }

  draw(chart: Chart): void {
    this.dirty.add(chart);
    if (this.frame === 0) this.frame = requestAnimationFrame(this.turn);
  }

  private readonly turn = (): void => {
    this.frame = 0;
    const started = performance.now();
    for (const chart of this.dirty) {
      if (performance.now() - started > drawBudgetMs) break;
      this.dirty.delete(chart);
      chart.drawNow();
    }
    if (this.dirty.size > 0) this.frame = requestAnimationFrame(this.turn);
  };

  private whole(): View {
    const steps = this.held?.steps;
    return steps === undefined ? { min: 0, max: 1 } : { min: steps.first, max: Math.max(steps.last, steps.first + 1) };
  }

  private viewChanged(): void {
    this.drawAll();
    this.handlers.zoomed(this.zoomView);
    clearTimeout(this.refineTimer);
    if (this.zoomView !== undefined) this.refineTimer = setTimeout(() => this.refine(), refineDelayMs);
  }

  private refine(): void {
    const { min, max } = this.view;
    for (const chart of this.charts) {
      if (!chart.inSight) continue;
      for (const line of chart.lines) if (line.thinned) this.handlers.refine(line.name, line.key, min, max);
    }
  }
}
