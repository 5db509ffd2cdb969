import { createClient, type ClickHouseClient, type ClickHouseClientConfigOptions } from '@clickhouse/client';
import { createChdbConnection } from 'chdb/connection';

/** Settings that hold for the life of a connection. */
export type ConnectionSettings = Readonly<Record<string, string | number>>;

/**
 * One connection to the database in this process, behind the official client. Queries of one connection run one after
 * the other; those of several connections on the same folder run beside each other.
 */
export async function openChdbClient(path: string, settings: ConnectionSettings): Promise<ClickHouseClient> {
  // The same shape, declared by two packages of one release.
  const connection = createChdbConnection({ path }) as unknown as NonNullable<ClickHouseClientConfigOptions['connection']>;
  const client = createClient({ connection });
  const list = Object.entries(settings).map(([name, value]) => `${name} = ${typeof value === 'number' ? value : `'${value}'`}`);
  if (list.length > 0) await client.command({ query: `SET ${list.join(', ')}` });
  return client;
}

/**
 * Reads over one connection, in turn. When a query fails half way, chDB hands what it had written to whoever asks next on
 * the connection; so nobody asks next before that has been thrown away.
 */
export class Reader {
  private turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly client: ClickHouseClient) {}

  /** Rows of a query, positional. NaN and infinities come as strings, see `readFloat`. */
  rows(query: string, parameters: Readonly<Record<string, unknown>> = {}): Promise<readonly (readonly unknown[])[]> {
    const answer = this.turn.then(async () => {
      try {
        const result = await this.client.query({ query, query_params: parameters, format: 'JSONCompactEachRow' });
        return await result.json<unknown[]>();
      } catch (error) {
        await this.throwAwayLeftover();
        throw error;
      }
    });
    this.turn = answer.catch(() => undefined);
    return answer;
  }

  private async throwAwayLeftover(): Promise<void> {
    const result = await this.client.query({ query: 'SELECT 1', format: 'TabSeparated' });
    result.close();
  }
}
