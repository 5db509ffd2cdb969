import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import type { DataSourceRef } from '@grafana/grafana-foundation-sdk/common';
import { chosenDataSource } from './data-source.js';

/** The plugin's numbers for what shall become of the rows. */
const formats = { timeSeries: 0, table: 1 } as const;

export interface ClickHouseQuery extends Dataquery {
  readonly refId: string;
  readonly datasource?: DataSourceRef;
  readonly editorType: 'sql';
  readonly rawSql: string;
  readonly format: number;
  readonly queryType: 'timeseries' | 'table';
}

/** A query of the ClickHouse plugin, for which the Foundation SDK has no builder. */
export class ClickHouseQueryBuilder implements Builder<Dataquery> {
  private refIdText = 'A';
  private source: DataSourceRef | undefined = chosenDataSource;

  constructor(
    private readonly sql: string,
    private readonly format: keyof typeof formats,
  ) {}

  refId(refId: string): this {
    this.refIdText = refId;
    return this;
  }

  /** Alert rules name their data source beside the query. */
  withoutDataSource(): this {
    this.source = undefined;
    return this;
  }

  build(): ClickHouseQuery {
    return {
      refId: this.refIdText,
      ...(this.source === undefined ? {} : { datasource: this.source }),
      editorType: 'sql',
      rawSql: oneSpace(this.sql),
      format: formats[this.format],
      queryType: this.format === 'timeSeries' ? 'timeseries' : 'table',
      _implementsDataqueryVariant: () => undefined,
    };
  }
}

/** Indentation belongs to the source file, line breaks to the reader of the dashboard. */
function oneSpace(sql: string): string {
  return sql
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join('\n');
}
