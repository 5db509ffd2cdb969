import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Metrics } from '#runtime/metrics.js';
import { packageRoot } from '#runtime/package-root.js';

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
}

const isMetric = (value: unknown): value is Metric => typeof value === 'object' && value !== null && 'labelNames' in value;
const metrics = Object.entries(new Metrics()).filter((entry): entry is [string, Metric] => isMetric(entry[1]));

/** All that runs in a service: no tests, and not the list of metrics itself. */
const sources = ['apps', 'libs']
  .flatMap((folder) =>
    readdirSync(join(packageRoot, folder), { recursive: true, encoding: 'utf8' }).map((file) => `${folder}/${file}`),
  )
  .filter((file) => file.endsWith('.ts') && !/\.test\.ts$|\/testing\//.test(file) && file !== 'libs/runtime/metrics.ts')
  .map((file) => readFileSync(join(packageRoot, file), 'utf8'));

describe('metrics', () => {
  it.each(metrics)('%s is moved by something', (property) => {
    const moved = new RegExp(`\\b${property}\\s*\\.(inc|dec|set|observe|startTimer)\\(`);
    expect(sources.some((text) => moved.test(text))).toBe(true);
  });

  it('stand in docs/metrics.md as they are, and nothing else does', () => {
    const page = readFileSync(join(packageRoot, 'docs/metrics.md'), 'utf8');
    const rows = page.split('\n').filter((line) => line.startsWith('| `'));
    const written = rows.map((row) => row.split('|').map((cell) => cell.trim()));
    expect(written.map(([, name, , labels, help]) => [name, labels, help])).toEqual(
      metrics.map(([, { name, labelNames, help }]) => [`\`${name}\``, labelNames.join(', '), help]),
    );
  });
});
