import { quote } from '../quote.js';
import { refusal } from './refusal.js';

/**
 * Settings that a foreign query may bring: those that say what an answer means, how it is made and how it is written, and
 * bounds that can only become tighter. All others lift a bound, reach outside, write a file or change the language; a
 * setting that a new engine brings is refused until it is named here.
 */
const allowed = oneOf(String.raw`
  output_format_\w+ input_format_\w+ format_(csv|tsv|custom|json|binary|regexp)_\w+ date_time_\w+
  bool_(true|false)_representation interval_output_format session_timezone use_client_time_zone extremes totals_\w+
  low_cardinality_\w+ exact_rows_before_limit rows_before_aggregation describe_\w+ mysql_map_\w+

  max_(block_size|threads|final_threads|execution_time|result_\w+|rows_\w+|columns_to_read|query_size|ast_\w+)
  max_(expanded_ast_elements|subquery_depth|estimated_execution_time|execution_speed\w*|joined_\w+)
  max_bytes_(to|in)_\w+ min_execution_speed\w* timeout_before_checking_execution_speed
  (result|read|group_by|sort|join|distinct|set)_overflow_mode preferred_\w+_bytes limit offset

  (allow_experimental|enable)_analyzer join_\w+ joined_\w+ any_join_\w+ partial_merge_join\w* group_by_\w+
  prefer_column_name_to_alias enable_(positional_arguments\w*|extended_results_\w+|unaligned_array_join)
  (union|except|intersect)_default_mode transform_null_in aggregate_functions_\w+ empty_result_\w+ asterisk_include_\w+
  final decimal_check_overflow cast_\w+ count_distinct_implementation formatdatetime_\w+ parsedatetime_\w+ splitby_\w+
  function_\w+_has_\w+ least_greatest_\w+ data_type_default_nullable validate_polygons regexp_max_matches_per_row

  optimize_\w+ query_plan_\w+ compile_\w+ use_(skip_indexes\w*|uncompressed_cache|index_for_in_\w+)
  (force|ignore)_(primary_key|index_by_date|data_skipping_indices) do_not_merge_across_partitions_select_final
  enable_(optimize_predicate_expression\w*|scalar_subquery_optimization|early_constant_folding) short_circuit_\w+
  (connect|receive|send)_timeout interactive_delay load_balancing log_comment log_queries send_profile_events
`);

/** What the patterns above would let through although it names a file or a server. */
const refused = oneOf(String.raw`output_format_schema \w+_path \w+_file(_\w+)? output_format_avro_confluent_\w+`);

const name = /^[a-z][a-z0-9_]*$/;
const maxThreads = 8;

export class SettingsRules {
  constructor(private readonly known: ReadonlySet<string>) {}

  /** Throws for a setting that the engine does not know or that a reader may not change. */
  check(setting: string): void {
    if (!name.test(setting) || !this.known.has(setting))
      throw refusal('UNKNOWN_SETTING', `Unknown setting '${setting.slice(0, 100)}'`);
    if (!allowed.test(setting) || refused.test(setting)) {
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
  return /^-?\d+(\.\d+)?$/.test(value) ? value : quote(value);
}

function oneOf(patterns: string): RegExp {
  return new RegExp(`^(${patterns.trim().split(/\s+/).join('|')})$`);
}
