import type { DataSourceRef } from '@grafana/grafana-foundation-sdk/common';

export const pluginType = 'grafana-clickhouse-datasource';
/** Fixed, because dashboards and alert rules speak of it. */
export const dataSourceUid = 'stagewatch-ch';
export const runDashboardUid = 'sw-run';

/** Dashboards let the reader choose among data sources of the plugin. */
export const chosenDataSource: DataSourceRef = { type: pluginType, uid: '${datasource}' };
