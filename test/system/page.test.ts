import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openLmdbBus } from '#bus/index.js';
import { createAlerts } from '#dashboard/alerts/index.js';
import { readConfig } from '#runtime/config.js';
import { createLogger } from '#runtime/logging.js';
import { Metrics } from '#runtime/metrics.js';
import { packageRoot } from '#runtime/package-root.js';
import { goldenCase, playGolden } from '#dashboard/testing/golden-run.js';
import { startDashboard, type Harness } from '#dashboard/testing/harness.js';
import { line, Recorder } from '#dashboard/testing/recorder.js';
import { chromiumArguments } from '../support/chromium.js';
import { findChromium } from '../support/needs.js';

const executablePath = findChromium('the page in a browser');
const pageDir = join(packageRoot, 'node_modules/.cache/page-test');
const pictures = join(packageRoot, 'node_modules/.cache/pictures');

describe.skipIf(executablePath === undefined)('the page in a browser', () => {
  let house: Harness;
  let browser: Browser;
  let page: Page;
  let teacher: Recorder;
  const problems: string[] = [];

  beforeAll(async () => {
    await build({
      configFile: join(packageRoot, 'apps/dashboard/page/vite.config.ts'),
      logLevel: 'error',
      build: { outDir: pageDir },
    });
    mkdirSync(pictures, { recursive: true });
    house = await startDashboard({ pageDir });
    teacher = new Recorder(house.bus, house.store, { name: 'teacher', project: 'golden' });
    await playGolden(goldenCase('teacher_gd_0.4'), teacher, () => Promise.resolve());
    browser = await chromium.launch({ executablePath: executablePath!, args: [...chromiumArguments] });
  });
  afterAll(async () => {
    await browser?.close();
    await house?.close();
  });

  const open = async (path: string, options: Parameters<Browser['newPage']>[0] = {}): Promise<Page> => {
    page = await browser.newPage({ viewport: { width: 1440, height: 900 }, colorScheme: 'dark', ...options });
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('request', (request) => {
      const { hostname, protocol } = new URL(request.url());
      if (hostname !== '127.0.0.1' && protocol !== 'data:') problems.push(`fetched from elsewhere: ${request.url()}`);
    });
    await page.goto(house.url + path);
    return page;
  };
  /** Asked from outside: the page's own policy forbids evaluating text inside. */
  const holds = (expression: string): Promise<void> =>
    expect.poll(() => page.evaluate(expression), { timeout: 20_000, interval: 30 }).toBe(true);
  const attributes = async (selector: string, name: string): Promise<(string | null)[]> =>
    Promise.all((await page.locator(selector).all()).map((one) => one.getAttribute(name)));
  const runPath = (): string => `/runs/${teacher.run.run}`;

  test('the list - a row per run, live, by keyboard', async () => {
    await open('/');
    await page.waitForSelector('.run-row .spark path');
    expect(await page.textContent('.run-row')).toContain('Edge of stability');
    const other = new Recorder(house.bus, house.store, { name: 'a newer run', createdMs: Date.now() + 5000 });
    await other.update({ stage: 'transient' });
    await holds(`document.querySelectorAll('.run-row').length === 2`);
    expect(await page.textContent('.run-row:first-child')).toContain('a newer run');
    await page.keyboard.press('/');
    await page.keyboard.type('teacher');
    await holds(`document.querySelectorAll('.run-row').length === 1`);
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.run-head h1');
    expect(new URL(page.url()).pathname).toBe(runPath());
    await page.close();
    await other.deleted();
  });

  test('a run - head, charts with their values, stages, the story; a picture', async () => {
    await open(runPath());
    await holds(`document.querySelectorAll('.chart canvas').length >= 4`);
    await page.waitForSelector('.legend-value');
    const head = await page.textContent('.run-head');
    for (const part of ['Edge of stability', 'since step 165', 'finished', '2/η = 5', 'sgd']) expect(head).toContain(part);
    expect(await attributes('.segment', 'data-stage')).toEqual(['transient', 'saturation', 'sharpening', 'edge']);
    const story = await page.locator('.finding-text').allTextContents();
    expect(story.at(-1)).toContain('Reached the edge of stability, λ1 = 0.99 × 2/η');
    expect(await page.textContent('.instruments')).toContain('no val probe set was given');
    expect(await page.getAttribute('[data-chart=sharpness] .plot', 'aria-label')).toContain('λ1 4.995, Θ 5');
    await page.screenshot({ path: join(pictures, 'run-dark.png') });
    await page.close();
  });

  test('a run of Adam that failed - its own words, no batch that nobody said, and no Θ against λ1', async () => {
    const failed = new Recorder(house.bus, house.store, { name: 'failed' });
    await failed.update({ optimizer: { name: 'adam', beta1: 0.9 }, fullBatch: false });
    await failed.series(
      line('lr', [0, 4], [0.1, 0.01]),
      line('sharpness', [0, 4], [3, 4], { source: 'analyzer' }),
      line('sharpness.threshold', [0, 4], [380, 3800], { source: 'analyzer' }),
    );
    await failed.update({ status: 'failed', message: 'RuntimeError: CUDA out of memory', step: 4 });
    await open(`/runs/${failed.run.run}`);
    await page.waitForSelector('.end-message');
    expect(await page.textContent('.end-message')).toBe('RuntimeError: CUDA out of memory');
    expect(await page.textContent('.facts')).toContain('Batchnot known');
    await page.waitForSelector('[data-chart=sharpness] canvas');
    const label = await page.getAttribute('[data-chart=sharpness] .plot', 'aria-label');
    expect(label).toContain('Latest: λ1 4.');
    expect(label).not.toContain('Θ');
    await page.screenshot({ path: join(pictures, 'run-failed.png'), fullPage: true });
    await page.close();
    await failed.deleted();
  });

  test('zoom - a finding shows where it is, in every chart; R shows all again', async () => {
    await open(runPath());
    await page.waitForSelector('.finding');
    await page.click('.finding >> nth=4');
    await page.waitForSelector('.zoom-bar:not([hidden])');
    const labels = await attributes('.charts:first-child .plot', 'aria-label');
    expect(new Set(labels.map((label) => /steps \d+ to \d+/.exec(label ?? '')?.[0])).size).toBe(1);
    await page.keyboard.press('r');
    await page.waitForSelector('.zoom-bar[hidden]', { state: 'attached' });
    const plot = (await (await page.$('[data-chart=loss] .u-over'))!.boundingBox())!;
    await page.mouse.move(plot.x + 40, plot.y + 60);
    await page.mouse.down();
    await page.mouse.move(plot.x + 200, plot.y + 60, { steps: 4 });
    await page.mouse.up();
    await page.waitForSelector('.zoom-bar:not([hidden])');
    await page.mouse.move(plot.x + 100, plot.y + 60);
    await holds(`document.querySelector('[data-chart=edge] .legend-step')?.textContent?.startsWith('step ')`);
    await page.close();
  });

  test('keys - a logarithmic scale for the chart in focus, help, theme', async () => {
    await open(runPath());
    await page.waitForSelector('[data-chart=loss] canvas');
    await page.focus('[data-chart=loss]');
    await page.keyboard.press('l');
    expect(await page.getAttribute('[data-chart=loss] .tool', 'aria-pressed')).toBe('true');
    expect(await page.getAttribute('[data-chart=edge] .tool', 'aria-pressed')).toBe('false');
    await page.keyboard.press('?');
    await page.waitForSelector('dialog[open]');
    await page.keyboard.press('Escape');
    await page.keyboard.press('t');
    expect(await page.evaluate('document.documentElement.dataset.theme')).toBe('light');
    await page.close();
  });

  test('live - points come in, NaN is said, a cut connection is seen and mended', async () => {
    const live = new Recorder(house.bus, house.store, { name: 'live' });
    await live.update({ stage: 'transient' });
    await live.series(line('loss.train', [0, 1], [2, 1]));
    await open(`/runs/${live.run.run}`);
    await holds(`document.querySelector('[data-chart=loss] .legend-value')?.textContent === '1'`);
    await page.context().setOffline(true);
    await page.waitForSelector('.connection[data-state=offline]', { timeout: 60_000 });
    await live.series(line('loss.train', [2], [0.5]));
    await page.context().setOffline(false);
    await holds(`document.querySelector('[data-chart=loss] .legend-value')?.textContent === '0.5'`);
    expect(await page.textContent('.connection')).toBe('live');
    await live.series(line('loss.train', [3], ['nan']));
    await holds(`document.querySelector('[data-chart=loss] .legend-value.broken')?.textContent === 'NaN'`);
    await live.deleted();
    await page.waitForSelector('text=This run was deleted');
    await page.close();
  }, 90_000);

  test('a phone, light - nothing is wider than the screen', async () => {
    for (const path of ['/', runPath(), '/alerts']) {
      await open(path, { viewport: { width: 360, height: 740 }, colorScheme: 'light' });
      await page.waitForSelector('h1');
      await page.waitForTimeout(200);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
      await page.close();
    }
  });

  test('nobody there yet - the page says how to attach', async () => {
    const empty = await startDashboard({ pageDir });
    page = await browser.newPage();
    await page.goto(empty.url);
    expect(await page.textContent('.empty-state pre')).toContain('stagewatch.attach(');
    await page.close();
    await empty.close();
  });

  test('alerts - a rule is made, shown, switched off and deleted by hand', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'stagewatch-page-'));
    const bus = await openLmdbBus({ path: folder, mapBytes: 2 ** 28 });
    const config = readConfig({}, {});
    const alerts = createAlerts({ bus, config, logger: createLogger({ level: 'silent' }), metrics: new Metrics() });
    await alerts.start();
    const withAlerts = await startDashboard({ pageDir, bus, alerts });
    page = await browser.newPage();
    await page.goto(`${withAlerts.url}/alerts`);
    await page.getByText('No rules yet').waitFor();
    await page.getByLabel('Name').fill('to the team');
    await page.getByLabel('Webhook').fill('http://127.0.0.1:9/hook');
    await page.getByText('Add rule').click();
    await page.getByText('expected a public address').waitFor();
    await page.getByLabel('Webhook').fill('https://example.org/hook');
    await page.getByLabel('Kinds').fill('stage, divergence_risk');
    await page.getByText('Add rule').click();
    await page.getByText('whsec_').waitFor();
    expect(await page.textContent('tbody tr')).toContain('stage, divergence_risk from warning');
    await page.getByText('Switch off').click();
    await page.getByText('Switch on').waitFor();
    expect((await alerts.rules.list())[0]).toMatchObject({ name: 'to the team', enabled: false });
    await page.getByText('Delete').click();
    await page.getByText('No rules yet').waitFor();
    await page.close();
    await withAlerts.close();
    await alerts.close();
    await bus.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('nothing was fetched from elsewhere, and no error was thrown', () => {
    expect(problems).toEqual([]);
  });
});
