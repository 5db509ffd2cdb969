import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { readConfig } from '#runtime/config.js';
import { packageRoot } from '#runtime/package-root.js';

// No container engine is needed: the files are held against the code that defines what they speak of.
interface ComposeService {
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: unknown;
  readonly depends_on?: unknown;
  readonly mem_limit?: string;
  readonly secrets?: readonly string[];
}

const read = (path: string): string => readFileSync(join(packageRoot, path), 'utf8');
const compose = parse(read('docker-compose.yml')) as {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, { readonly environment: string }>>;
};
const { stagewatch, grafana, prometheus } = compose.services as Record<'stagewatch' | 'grafana' | 'prometheus', ComposeService>;
const settings = read('libs/runtime/config.ts');
const containerPort = (mapping: string): number => Number(mapping.split(':').at(-1));

it('compose - the ports of the service are those that the configuration has by default', () => {
  const { ports } = readConfig({}, {});
  expect(new Set(stagewatch.ports!.map(containerPort))).toEqual(new Set(Object.values(ports)));
});

it('compose - every setting of the service is one that the code reads, and is valid', () => {
  const names = Object.keys(stagewatch.environment!);
  for (const name of names) expect(settings).toContain(`${name}:`);
  const environment = { ...stagewatch.environment, STAGEWATCH_TOKEN: 'x'.repeat(32) };
  expect(readConfig({}, environment)).toMatchObject({ host: '0.0.0.0', dataDir: '/data' });
});

it('compose - all doors are published on loopback only', () => {
  for (const service of Object.values(compose.services)) {
    for (const mapping of service.ports ?? []) expect(mapping).toMatch(/^127\.0\.0\.1:/);
  }
});

it('compose - the data folder is a declared volume that the image owns', () => {
  expect(stagewatch.volumes).toEqual(['stagewatch-data:/data']);
  expect(compose.volumes).toHaveProperty('stagewatch-data');
  expect(read('Dockerfile')).toMatch(/chown node:node \/data[\s\S]*VOLUME \/data/);
});

it('compose - the command is one that the command line has', () => {
  const [command] = stagewatch.command!;
  expect(existsSync(join(packageRoot, `apps/cli/commands/${command}.ts`))).toBe(true);
  expect(read('Dockerfile')).toContain('ENTRYPOINT ["node", "dist/apps/cli/main.js"]');
  expect(existsSync(join(packageRoot, 'apps/cli/main.ts'))).toBe(true);
});

it('compose - every mounted file is in the repository', () => {
  const sources = Object.values(compose.services)
    .flatMap((service) => service.volumes ?? [])
    .map((volume) => volume.split(':')[0]!)
    .filter((source) => source.startsWith('.'));
  expect(sources.length).toBeGreaterThan(2);
  expect(sources.filter((source) => !existsSync(join(packageRoot, source)))).toEqual([]);
});

it('image - health is asked of a path and a port that the service answers', () => {
  const [, script] = /HEALTHCHECK[\s\S]*?CMD \["node", "-e", "(.*)"\]/.exec(read('Dockerfile'))!;
  expect(script).toContain(`http://127.0.0.1:${readConfig({}, {}).ports.http}/readyz`);
  // The healthcheck of the image is the one that the others wait for.
  expect(stagewatch.healthcheck).toBeUndefined();
  expect(grafana.depends_on).toEqual({ stagewatch: { condition: 'service_healthy' } });
});

it('image - the base is named by digest, the same in every stage', () => {
  const bases = [...read('Dockerfile').matchAll(/^FROM (\S+)/gm)].map((match) => match[1]!);
  expect(bases).toHaveLength(2);
  expect(new Set(bases).size).toBe(1);
  expect(bases[0]).toMatch(/^node:22-bookworm-slim@sha256:[0-9a-f]{64}$/);
});

it('compose - every service has a limit of memory, and that of the service is above those inside it', () => {
  for (const service of Object.values(compose.services)) expect(service.mem_limit).toMatch(/^(\$\{STAGEWATCH_MEMORY:-)?\d+g\}?$/);
  const gibibytes = Number(/(\d+)g/.exec(stagewatch.mem_limit!)![1]);
  expect(gibibytes * 1024 ** 3).toBeGreaterThan(2 * readConfig({}, {}).engine.memoryBytes);
});

it('compose - Prometheus scrapes the service with the token that it asks for', () => {
  const config = parse(read('deploy/prometheus.yml')) as {
    scrape_configs: {
      metrics_path: string;
      authorization: { credentials_file: string };
      static_configs: { targets: string[] }[];
    }[];
  };
  const [job] = config.scrape_configs;
  expect(job!.metrics_path).toBe('/metrics');
  expect(job!.static_configs[0]!.targets).toEqual([`stagewatch:${readConfig({}, {}).ports.http}`]);
  const [secret] = prometheus.secrets!;
  expect(job!.authorization.credentials_file).toBe(`/run/secrets/${secret}`);
  expect(compose.secrets[secret!]!.environment).toBe('STAGEWATCH_TOKEN');
});

it('compose - Grafana gets the bundle and every variable that its provisioning asks for', () => {
  const source = read('grafana/provisioning/datasources/clickhouse.yaml');
  const asked = [...source.matchAll(/\$\{?([A-Z][A-Z_]+)/g)].map((match) => match[1]!);
  expect(asked.length).toBeGreaterThan(0);
  for (const name of asked) expect(Object.keys(grafana.environment!)).toContain(name);
  const [datasource] = (parse(source) as { datasources: { type: string; jsonData: { port: number } }[] }).datasources;
  expect(grafana.environment!['GF_INSTALL_PLUGINS']).toMatch(new RegExp(`^${datasource!.type} \\d+\\.\\d+\\.\\d+$`));
  expect(datasource!.jsonData.port).toBe(readConfig({}, {}).ports.clickhouse);
});
