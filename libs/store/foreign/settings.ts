import { refusal } from './refusal.js';

/**
 * Settings that a foreign query may not touch: what lifts the bounds of its connection, reaches outside, reads a file
 * by name, changes the language, or is of no use to a reader.
 */
const refused =
  /^(readonly|allow_ddl|allow_introspection_functions|dialect|.*_dialect|implicit_.*|max_memory_usage.*|max_untracked_memory|memory_.*|.*overcommit.*|max_concurrent_.*|priority|workload|.*_overflow_mode|timeout_.*|format_schema.*|format_template_.*|format_avro_schema_.*|format_protobuf_.*|.*_path|.*_path_.*|s3_.*|azure_.*|hdfs_.*|gcs_.*|url_.*|http_.*|remote_.*|distributed_.*|hedged_.*|engine_.*|storage_.*|ai_.*|insert_.*|async_insert.*|wait_for_async_insert.*|log_.*|send_logs_.*|opentelemetry_.*|profile|cluster_.*|filesystem_cache.*|backup_.*|restore_.*|user_defined_.*|extract_key_value_.*|external_storage_.*|kafka_.*|rabbitmq_.*|query_profiler_.*|trace_.*|metrics_perf_.*|use_query_cache|query_cache_.*|max_rows_to_transfer|temporary_.*|additional_.*|allow_.*|enable_.*_table_function.*)$/;

/** Exceptions to the patterns above that clients do send and that only change how a result is made or written. */
const allowed = new Set([
  'allow_experimental_analyzer',
  'enable_analyzer',
  'result_overflow_mode',
  'read_overflow_mode',
  'group_by_overflow_mode',
  'sort_overflow_mode',
  'timeout_before_checking_execution_speed',
  'log_comment',
  'log_queries',
  'output_format_parquet_compliant_nested_types',
]);

const name = /^[a-z][a-z0-9_]*$/;
const maxThreads = 8;

export class SettingsRules {
  constructor(private readonly known: ReadonlySet<string>) {}

  /** Throws for a setting that the engine does not know or that a reader may not change. */
  check(setting: string): void {
    if (!name.test(setting) || !this.known.has(setting))
      throw refusal('UNKNOWN_SETTING', `Unknown setting '${setting.slice(0, 100)}'`);
    if (refused.test(setting) && !allowed.has(setting)) {
      throw refusal('READONLY', `Setting '${setting}' may not be changed through this read-only interface`);
    }
  }

  /** A SETTINGS list of given settings, bounded. */
  render(given: Readonly<Record<string, string>>, maxSeconds: number): string {
    const settings = new Map<string, string>([['max_execution_time', String(maxSeconds)]]);
    for (const [setting, value] of Object.entries(given)) {
      this.check(setting);
      settings.set(setting, bounded(setting, value, maxSeconds));
    }
    return Array.from(settings, ([setting, value]) => `${setting} = ${literal(value)}`).join(', ');
  }

  /** What stands inside the SQL cannot be rewritten safely, so a bound that is passed is refused. */
  checkInside(setting: string, value: string, maxSeconds: number): void {
    this.check(setting);
    const plain = value.replace(/^'(.*)'$/s, '$1');
    if (bounded(setting, plain, maxSeconds) !== plain) {
      throw refusal('READONLY', `Setting '${setting}' may not be ${plain.slice(0, 40)} through this read-only interface`);
    }
  }
}

function bounded(setting: string, value: string, maxSeconds: number): string {
  const limit = setting === 'max_execution_time' ? maxSeconds : setting === 'max_threads' ? maxThreads : undefined;
  if (limit === undefined) return value;
  const number = Number(value);
  return number > 0 && number <= limit ? value : String(limit);
}

function literal(value: string): string {
  return /^-?\d+(\.\d+)?$/.test(value) ? value : `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
