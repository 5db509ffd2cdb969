import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { findFile } from './needs.js';
import type { Scene } from './scene.js';
import { freePort } from './service-process.js';

export const findPrometheus = (what: string): string | undefined =>
  findFile(what, 'Prometheus (apt-get install prometheus)', ['/usr/bin/prometheus', '/usr/local/bin/prometheus']);

export const findPromtool = (what: string): string | undefined =>
  findFile(what, 'promtool (apt-get install prometheus)', ['/usr/bin/promtool', '/usr/local/bin/promtool']);

interface Answer {
  readonly data: { readonly result: readonly { readonly value: readonly [number, string] }[] };
}

/** A real Prometheus that scrapes the service each second; answers how to ask it for the value of an expression. */
export async function startPrometheus(
  scene: Scene,
  executable: string,
  target: string,
): Promise<(expression: string) => Promise<number | undefined>> {
  const port = await freePort();
  const config = scene.path('prometheus.yml');
  writeFileSync(
    config,
    JSON.stringify({
      global: { scrape_interval: '1s', scrape_timeout: '1s' },
      scrape_configs: [{ job_name: 'stagewatch', static_configs: [{ targets: [target] }] }],
    }),
  );
  const child = spawn(
    executable,
    [`--config.file=${config}`, `--storage.tsdb.path=${scene.path('prometheus')}`, `--web.listen-address=127.0.0.1:${port}`],
    { stdio: 'ignore' },
  );
  const closed = new Promise((resolve) => child.once('close', resolve));
  scene.atEnd(() => {
    child.kill('SIGKILL');
    return closed;
  });
  return async (expression) => {
    const query = new URLSearchParams({ query: expression }).toString();
    // Not there yet: asked again.
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/query?${query}`).catch(() => undefined);
    if (response?.ok !== true) return undefined;
    const { data } = (await response.json()) as Answer;
    return data.result.length === 0 ? undefined : Number(data.result[0]!.value[1]);
  };
}
