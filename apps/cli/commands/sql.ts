import { clientOptions, ServiceClient } from '../client.js';
import { exitCodes, UsageError, type Command } from '../command.js';

export const sqlCommand: Command = {
  name: 'sql',
  usage: '"SELECT …" [--format F]',
  summary: 'Ask ClickHouse, read-only.',
  description: 'Tables: runs, scalars, readings, series, findings, stages, instruments (docs/sql.md).',
  options: {
    ...clientOptions,
    format: {
      type: 'string',
      value: 'F',
      help: 'Any ClickHouse output format (default PrettyCompactMonoBlock; with --json JSONEachRow).',
    },
  },
  maxPositionals: 1,
  async run({ flags, positionals, io }) {
    const [sql] = positionals;
    if (sql === undefined) throw new UsageError('what should be asked? For example: stagewatch sql "SELECT * FROM runs"');
    const format = (flags['format'] as string | undefined) ?? (flags['json'] === true ? 'JSONEachRow' : 'PrettyCompactMonoBlock');
    const response = await new ServiceClient(flags['url'] as string | undefined).fetch('/api/sql', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ sql, format }),
      signal: io.signal,
    });
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) io.out(decoder.decode(chunk as Uint8Array, { stream: true }));
    io.out(decoder.decode());
    return exitCodes.ok;
  },
};
