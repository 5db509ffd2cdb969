import * as alerting from '@grafana/grafana-foundation-sdk/alerting';
import * as expr from '@grafana/grafana-foundation-sdk/expr';
import { ClickHouseQueryBuilder } from './clickhouse-query.js';
import { dataSourceUid, runDashboardUid } from './data-source.js';
import * as sql from './sql.js';

const lookBackSeconds = 300;
const expression = { type: '__expr__', uid: '__expr__' };

/** A run diverges: it says so itself, or its loss is not a number. */
function divergenceRule(): alerting.Rule {
  return new alerting.RuleBuilder('A training run diverges')
    .uid('sw-divergence')
    .folderUID('Training')
    .ruleGroup('training-stability')
    .orgID(1)
    .condition('C')
    .forDuration('0s')
    .keepFiringFor('5m')
    .noDataState('OK')
    .execErrState('Error')
    .missingSeriesEvalsToResolve(2)
    .labels({ severity: 'critical', service: 'stagewatch' })
    .annotations({
      // `.Labels` instead of `$labels`: nothing in a provisioned file should look like an environment variable.
      summary: 'Run {{ .Labels.run }} diverges',
      description: 'Its loss is not finite, or a finding says that it diverges.',
      __dashboardUid__: runDashboardUid,
      __panelId__: '3',
    })
    .withQuery(
      new alerting.QueryBuilder('A')
        .datasourceUid(dataSourceUid)
        .relativeTimeRange({ from: lookBackSeconds, to: 0 })
        .model(new ClickHouseQueryBuilder(sql.divergence, 'timeSeries').withoutDataSource()),
    )
    .withQuery(
      new alerting.QueryBuilder('B')
        .datasourceUid('__expr__')
        .model(new expr.TypeReduceBuilder().refId('B').datasource(expression).expression('A').reducer('max')),
    )
    .withQuery(
      new alerting.QueryBuilder('C').datasourceUid('__expr__').model(
        new expr.TypeThresholdBuilder()
          .refId('C')
          .datasource(expression)
          .expression('B')
          .conditions([{ evaluator: { type: 'gt', params: [0] } }]),
      ),
    )
    .build();
}

/**
 * The SDK builds the shape of Grafana's HTTP interface; files for provisioning spell some fields otherwise. A query's
 * model is taken there as it stands, so its macros keep their single dollar sign.
 */
export function alertRulesFile(): unknown {
  const { uid, title, condition, data, for: forDuration, keep_firing_for, noDataState, execErrState, ...rest } = divergenceRule();
  const { __dashboardUid__: dashboardUid, __panelId__: panelId, ...annotations } = rest.annotations ?? {};
  return {
    apiVersion: 1,
    groups: [
      {
        orgId: rest.orgID,
        name: rest.ruleGroup,
        folder: rest.folderUID,
        interval: '30s',
        rules: [
          {
            uid,
            title,
            condition,
            for: forDuration,
            keepFiringFor: keep_firing_for,
            noDataState,
            execErrState,
            missing_series_evals_to_resolve: rest.missingSeriesEvalsToResolve,
            dashboardUid,
            panelId: Number(panelId),
            labels: rest.labels,
            annotations,
            data,
          },
        ],
      },
    ],
  };
}
