import { stringify } from 'yaml';
import { alertRulesFile } from './alert-rules.js';
import { dashboardProviderFile, dataSourceFile } from './provisioning.js';
import { runDashboard } from './run-dashboard.js';

const notice = '# Made by `npm run generate:grafana` from grafana/src; changes here are lost.\n';

/** Every generated file: path under grafana/ and content. The same each time. */
export function generatedFiles(): ReadonlyMap<string, string> {
  return new Map([
    ['provisioning/datasources/clickhouse.yaml', yaml(dataSourceFile())],
    ['provisioning/dashboards/provider.yaml', yaml(dashboardProviderFile())],
    ['provisioning/alerting/rules.yaml', yaml(alertRulesFile())],
    ['dashboards/run.json', `${JSON.stringify(runDashboard(), null, 2)}\n`],
  ]);
}

function yaml(value: unknown): string {
  // Through JSON, as Grafana's own objects carry functions and undefined.
  return notice + stringify(JSON.parse(JSON.stringify(value)), { lineWidth: 0, singleQuote: true });
}
