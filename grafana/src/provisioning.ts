import { dataSourceUid, pluginType } from './data-source.js';

const clickHousePort = 7582;

/**
 * The data source is the ClickHouse door of the service. Grafana fills in the variables of its own environment; the
 * token of the service is the password.
 */
export function dataSourceFile(): unknown {
  return {
    apiVersion: 1,
    prune: true,
    datasources: [
      {
        name: 'Stagewatch ClickHouse',
        uid: dataSourceUid,
        type: pluginType,
        access: 'proxy',
        isDefault: true,
        editable: false,
        jsonData: {
          host: '$STAGEWATCH_CLICKHOUSE_HOST',
          port: clickHousePort,
          protocol: 'http',
          secure: false,
          username: 'default',
          defaultDatabase: 'stagewatch',
          dialTimeout: '10',
          queryTimeout: '55',
          // The service answers two foreign queries at a time and lets the others wait.
          maxOpenConns: '8',
          maxIdleConns: '4',
          connMaxLifetime: '5',
          validateSql: true,
          // It would cut the rows of alert queries without a word.
          enableRowLimit: false,
        },
        secureJsonData: { password: '$STAGEWATCH_TOKEN' },
      },
    ],
  };
}

export function dashboardProviderFile(): unknown {
  return {
    apiVersion: 1,
    providers: [
      {
        name: 'stagewatch',
        orgId: 1,
        type: 'file',
        folder: 'Training',
        folderUid: 'stagewatch',
        disableDeletion: false,
        allowUiUpdates: false,
        updateIntervalSeconds: 30,
        options: { path: '/var/lib/grafana/dashboards', foldersFromFilesStructure: false },
      },
    ],
  };
}
