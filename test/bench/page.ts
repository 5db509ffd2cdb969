/**
 * The page in headless Chromium (drawn by the processor, without a GPU): first paint, and how long a frame takes with
 * 8 series × 50 000 points that came in live, so that none is thinned.
 *
 *     npm run build && node dist/test/bench/page.js
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import { openLmdbBus } from '#bus/index.js';
import { sleep } from '#runtime/retry.js';
import { openEmbeddedStore } from '#store/index.js';
import { builtPageDir } from '#dashboard/http/page.js';
import { startDashboard } from '#dashboard/testing/harness.js';
import { line, Recorder } from '#dashboard/testing/recorder.js';
import { chromiumArguments } from '../support/chromium.js';
import { findChromium } from '../support/needs.js';
import { quantile, report } from './support/report.js';

const series = 8;
const points = 50_000;
const chunk = 2500;
const zoomFrames = 60;

const executablePath = findChromium('the bench of the page');
if (executablePath === undefined) process.exit(1);

const folder = mkdtempSync(join(tmpdir(), 'stagewatch-page-bench-'));
const bus = await openLmdbBus({ path: join(folder, 'bus'), mapBytes: 2 ** 32 });
const store = await openEmbeddedStore({ path: join(folder, 'clickhouse') });
const house = await startDashboard({ bus, store, pageDir: builtPageDir });
const recorder = new Recorder(bus, store, { name: 'bench', plannedSteps: points });
await recorder.update();
await recorder.finding({ kind: 'stage', step: 0, to: 'sharpening', text: 'step 0: sharpening' });
await recorder.finding({ kind: 'stage', step: 20_000, to: 'edge', text: 'step 20000: reached the edge of stability' });

const value = (step: number, key: number): number =>
  (key + 1) * 3 + Math.sin(step / (40 + key)) + 0.2 * Math.sin(step * 1.7 + key);
const feed = (from: number, count: number): Promise<void> => {
  const steps = Array.from({ length: count }, (_, i) => from + i);
  const deltas = Array.from({ length: series }, (_, key) =>
    line(
      'curvature.top',
      steps,
      steps.map((step) => value(step, key)),
      { key: String(key + 1), source: 'analyzer' },
    ),
  );
  return recorder.series(...deltas, line('loss.train', [from + count - 1], [1 / (from + 1)]));
};
await feed(0, 2);

const browser = await chromium.launch({ executablePath, args: [...chromiumArguments] });
const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, colorScheme: 'dark' });
const path = `${house.url}/runs/${recorder.run.run}`;
const chart = '[data-chart="series:curvature.top"]';

// Frames and long tasks are counted inside the page, from its own clock.
await page.addInitScript(`
  window.frames_ = [];
  let last = performance.now();
  const tick = () => { const now = performance.now(); window.frames_.push(now - last); last = now; requestAnimationFrame(tick); };
  requestAnimationFrame(tick);
`);
let histories = 0;
page.on('request', (request) => (histories += Number(request.url().includes('name=curvature.top'))));
await page.goto(path);
await page.waitForSelector(`${chart} canvas`);
await page.locator(chart).scrollIntoViewIfNeeded();

const takeFrames = (): Promise<number[]> => page.evaluate('window.frames_.splice(0)');
await takeFrames();
const fedFrom = performance.now();
for (let from = 2; from < points; from += chunk) {
  await feed(from, Math.min(chunk, points - from));
  await sleep(260);
}
const pointsPerSecond = Math.round((series * points * 1000) / (performance.now() - fedFrom));
const arriving = await takeFrames();
const settled = `document.querySelector('${chart} .plot')?.getAttribute('aria-label')?.includes('to ${points - 1}')`;
while ((await page.evaluate(settled)) !== true) await sleep(50);
if (histories !== series) throw new Error('The page fetched its history again, so what it shows is thinned.');

/** Every frame shows another stretch of all points. */
async function zooming(page: Page): Promise<number[]> {
  await page.focus(chart);
  await takeFrames();
  return page.evaluate(`(async () => {
    const chart = document.querySelector('${chart}');
    const times = [];
    for (let i = 0; i < ${zoomFrames}; i++) {
      const started = performance.now();
      chart.dispatchEvent(new KeyboardEvent('keydown', { key: i % 2 === 0 ? '+' : '-', bubbles: true, cancelable: true }));
      // After the frame that draws it, a message comes back.
      await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
      times.push(performance.now() - started);
    }
    return times;
  })()`);
}
const zoomed = await zooming(page);
await takeFrames();
const appended: number[] = [];
for (let round = 0; round < 12; round++) {
  await feed(points + round * 20, 20);
  await sleep(260);
  appended.push(...(await takeFrames()));
}

/** A stranger who comes late: navigation to paint, and to charts with their history. */
async function visit(url: string, ready: string): Promise<{ readonly paintMs: number; readonly readyMs: number }> {
  const fresh = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  const started = performance.now();
  await fresh.goto(url, { waitUntil: 'commit' });
  await fresh.waitForSelector(ready);
  const readyMs = performance.now() - started;
  const paintMs = await fresh.evaluate<number>(`performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN`);
  await fresh.close();
  return { paintMs, readyMs };
}
const visits = [];
for (let i = 0; i < 5; i++) visits.push(await visit(path, '[data-chart=loss] .legend-value'));
const paints = visits.map(({ paintMs }) => paintMs).sort((a, b) => a - b);
const readies = visits.map(({ readyMs }) => readyMs).sort((a, b) => a - b);

report('page', [
  { what: 'first contentful paint, median of 5', value: quantile(paints, 0.5), unit: 'ms' },
  { what: 'navigation to charts with history, median of 5', value: quantile(readies, 0.5), unit: 'ms' },
  { what: `one zoom of ${series} × ${points} points until drawn, median`, value: quantile(zoomed, 0.5), unit: 'ms' },
  { what: `one zoom of ${series} × ${points} points until drawn, p95`, value: quantile(zoomed, 0.95), unit: 'ms' },
  { what: `frame while ${pointsPerSecond} points/s arrive, p95`, value: quantile(arriving, 0.95), unit: 'ms' },
  {
    what: 'frame while points are appended to all series four times a second, median',
    value: quantile(appended, 0.5),
    unit: 'ms',
  },
  { what: 'the same, p95', value: quantile(appended, 0.95), unit: 'ms' },
  { what: 'the same, longest', value: Math.max(...appended), unit: 'ms' },
]);

await browser.close();
await house.close();
await store.close();
await bus.close();
rmSync(folder, { recursive: true, force: true });
