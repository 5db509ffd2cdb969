import * as common from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import * as table from '@grafana/grafana-foundation-sdk/table';
import * as text from '@grafana/grafana-foundation-sdk/text';
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';
import { ClickHouseQueryBuilder } from './clickhouse-query.js';
import { chosenDataSource, pluginType, runDashboardUid } from './data-source.js';
import * as sql from './sql.js';

const purpose = `Which stage is this run in, and how does it come to be there? Coloured bands are stages. **λ1** is the largest
curvature of the loss, **Θ** the threshold above which the optimizer in use is unstable, the **edge ratio** is λ1/Θ: near 1 the
run is at the edge of stability. The page of the service shows the same by step, live.`;

/** Colours of the bands, in the order in which a run usually passes through the stages. */
const stages = {
  transient: 'gray',
  saturation: 'blue',
  sharpening: 'orange',
  edge: 'purple',
  late_decline: 'green',
  diverged: 'red',
} as const;

function chart(title: string, description: string, names: readonly string[]): timeseries.PanelBuilder {
  return lines(title, description, sql.lines(names));
}

function lines(title: string, description: string, rawSql: string): timeseries.PanelBuilder {
  return new timeseries.PanelBuilder()
    .title(title)
    .description(description)
    .datasource(chosenDataSource)
    .withTarget(new ClickHouseQueryBuilder(rawSql, 'timeSeries'))
    .span(12)
    .height(9)
    .lineWidth(1)
    .fillOpacity(0)
    .showPoints(common.VisibilityMode.Auto)
    .spanNulls(true)
    .legend(
      new common.VizLegendOptionsBuilder()
        .displayMode(common.LegendDisplayMode.List)
        .placement(common.LegendPlacement.Bottom)
        .showLegend(true),
    )
    .tooltip(new common.VizTooltipOptionsBuilder().mode(common.TooltipDisplayMode.Multi));
}

function list(title: string, description: string, rawSql: string): table.PanelBuilder {
  return new table.PanelBuilder()
    .title(title)
    .description(description)
    .datasource(chosenDataSource)
    .withTarget(new ClickHouseQueryBuilder(rawSql, 'table'));
}

const logarithmic = new common.ScaleDistributionConfigBuilder().type(common.ScaleDistribution.Log).log(10);

const edgeSteps: dashboard.Threshold[] = [
  { value: null, color: 'green' },
  { value: 0.95, color: 'orange' },
  { value: 1, color: 'red' },
];

const panels = [
  new text.PanelBuilder()
    .title('What this shows')
    .description('How to read this dashboard.')
    .mode(text.TextMode.Markdown)
    .content(purpose.replaceAll('\n', ' '))
    .span(24)
    .height(4),
  list('Run', 'What is known of the run, and when it was last heard of.', sql.facts).span(24).height(4),
  chart('Loss', 'Logged losses, and the loss on the fixed probe sets.', [
    'loss.train',
    'loss.val',
    'loss.probe',
    'loss.probe_val',
  ]).scaleDistribution(logarithmic),
  lines(
    'λ1 and the threshold Θ',
    'Sharpness on the train probe set against the stability threshold of the optimizer in use; of the preconditioned Hessian, for an optimizer that is judged by that.',
    sql.curvature,
  ),
  chart('Edge ratio', 'λ1/Θ. At 0.95 and above the run counts as being at the edge of stability.', ['edge.ratio'])
    .min(0)
    .thresholds(new dashboard.ThresholdsConfigBuilder().mode(dashboard.ThresholdsMode.Absolute).steps(edgeSteps))
    .thresholdsStyle(new common.GraphThresholdsStyleConfigBuilder().mode(common.GraphThresholdsStyleMode.Dashed)),
  chart('Learning rate', 'As used for the next update.', ['lr']).lineInterpolation(common.LineInterpolation.StepAfter),
  chart('Gradient norm', 'Norm of the whole gradient, on the probe set or as logged.', ['gradient.norm']).scaleDistribution(
    logarithmic,
  ),
  new timeseries.PanelBuilder()
    .title('Numbers that are not finite')
    .description('How many logged or measured numbers were NaN or infinite; the charts beside it cannot draw those.')
    .datasource(chosenDataSource)
    .withTarget(new ClickHouseQueryBuilder(sql.brokenNumbers, 'timeSeries'))
    .drawStyle(common.GraphDrawStyle.Bars)
    .noValue('none')
    .min(0)
    .decimals(0)
    .span(12)
    .height(9),
  list('Findings', 'What was concluded about this run, in the order of its steps.', sql.findings).span(16).height(10),
  list('Instruments', 'What is measured, and why the rest is not.', sql.instruments).span(8).height(10),
];

const annotations = [
  ...Object.entries(stages).map(([stage, color]) => annotation(`Stage ${stage}`, color, sql.stageBands(stage))),
  annotation('Warnings', 'dark-red', sql.warnings),
];

function annotation(name: string, color: string, rawSql: string): dashboard.AnnotationQueryBuilder {
  return new dashboard.AnnotationQueryBuilder()
    .name(name)
    .datasource(chosenDataSource)
    .enable(true)
    .iconColor(color)
    .target(new ClickHouseQueryBuilder(rawSql, 'table').refId('Anno'));
}

/** One run: its stages behind everything that leads to them. */
export function runDashboard(): Omit<dashboard.Dashboard, 'id'> & { readonly id: null } {
  const builder = new dashboard.DashboardBuilder('Stagewatch run')
    .uid(runDashboardUid)
    .description('One training run: its stages, its curvature against the stability threshold, and what was found.')
    .tags(['stagewatch'])
    .readonly()
    .timezone('browser')
    .time({ from: 'now-1h', to: 'now' })
    .refresh('10s')
    .tooltip(dashboard.DashboardCursorSync.Crosshair)
    .withVariable(new dashboard.DatasourceVariableBuilder('datasource').label('Data source').type(pluginType))
    .withVariable(
      new dashboard.QueryVariableBuilder('run')
        .label('Run')
        .datasource(chosenDataSource)
        .query({ ...new ClickHouseQueryBuilder(sql.runs, 'table').withoutDataSource().build() })
        .definition('The runs of the service')
        .refresh(dashboard.VariableRefresh.OnTimeRangeChanged)
        .sort(dashboard.VariableSort.Disabled),
    )
    .annotations(annotations)
    .link(
      new dashboard.DashboardLinkBuilder('Stagewatch')
        .type(dashboard.DashboardLinkType.Dashboards)
        .tags(['stagewatch'])
        .asDropdown(true)
        .includeVars(true)
        .keepTime(true),
    );
  for (const [i, panel] of panels.entries()) builder.withPanel(panel.id(i + 1));
  return { ...builder.build(), id: null };
}
