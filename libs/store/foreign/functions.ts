import type { AskEngine } from './gate.js';

/** Categories of `system.functions` whose members compute from their arguments and from nothing else. */
const pureCategories: ReadonlySet<string> = new Set(
  (
    'Arithmetic,Arrays,Bit,Bitmap,Comparison,Conditional,Dates and Times,Distance,Encoding,Encryption,Financial,Geo,' +
    'Geo Polygon,Hash,IP Address,JSON,Logical,Map,Mathematical,Null,NumericIndexedVector,QBit,Random Number,Rounding,' +
    'String,String Replacement,String Search,String Splitting,Time Series,Time Window,Tuple,Type Conversion,URL,UUID'
  ).split(','),
);

/**
 * Of the category `Other`, where `file` lies beside `identity`, these alone. A function that a new engine brings is
 * refused until it is named here.
 */
const pureOthers: ReadonlySet<string> = new Set(
  (
    'bar blockNumber blockSize byteSize caseWithExpression colorOKLABToSRGB colorOKLCHToSRGB colorSRGBToOKLAB ' +
    'colorSRGBToOKLCH countDigits currentDatabase currentQueryID currentSchemas currentUser defaultValueOfArgumentType ' +
    'defaultValueOfTypeName digits dumpColumnStructure errorCodeToName finalizeAggregation flipCoordinates formatQuery ' +
    'formatQueryOrNull formatQuerySingleLine formatQuerySingleLineOrNull formatReadableDecimalSize ' +
    'formatReadableQuantity formatReadableSize formatReadableTimeDelta getSetting getSettingOrDefault getSizeOfEnumType ' +
    'getSubcolumn icebergBucket icebergTruncate identity ignore indexHint initialQueryID initializeAggregation ' +
    'isConstant isDecimalOverflow lowCardinalityIndices lowCardinalityKeys MACNumToString MACStringToNum ' +
    'MACStringToOUI materialize minSampleSizeContinuous minSampleSizeConversion neighbor nested normalizedQueryHash ' +
    'normalizedQueryHashKeepNames normalizeQuery normalizeQueryKeepNames parseReadableSize parseReadableSizeOrNull ' +
    'parseReadableSizeOrZero parseTimeDelta queryID revision rowNumberInAllBlocks rowNumberInBlock runningAccumulate ' +
    'runningDifference runningDifferenceStartingWithFirstValue shardCount shardNum sleep sleepEachRow throwIf ' +
    'toColumnTypeName toTypeName transform variantElement variantType version visibleWidth'
  )
    .toLowerCase()
    .split(' '),
);

/** What the parser makes of syntax and of bound parameters; the engine does not list these, or as its own alone. */
const syntax = ['_cast', 'exists', 'grouping', 'lambda', 'untuple'];

/** Aggregate functions that tell of the process rather than of the rows. */
const refusedAggregates: ReadonlySet<string> = new Set(['flamegraph']);

/** Which functions a reader may call. What is not known is not allowed. */
export class FunctionRules {
  private constructor(
    private readonly allowed: ReadonlySet<string>,
    private readonly refused: ReadonlySet<string>,
    private readonly aggregates: ReadonlySet<string>,
    private readonly combinators: readonly string[],
  ) {}

  static async load(askEngine: AskEngine): Promise<FunctionRules> {
    const lines = async (sql: string): Promise<readonly string[]> =>
      (await askEngine(sql, {})).split('\n').filter((line) => line !== '');
    const functions = (await lines('SELECT name, is_aggregate, categories, alias_to FROM system.functions')).map(toFunction);
    const combinators = await lines('SELECT lower(name) FROM system.aggregate_function_combinators ORDER BY length(name) DESC');
    // An alias may differ from its function in case alone, and has no category.
    const categories = new Map(functions.filter(({ aliasOf }) => aliasOf === '').map(({ name, category }) => [name, category]));
    const allowed = new Set(syntax);
    const refused = new Set<string>();
    const aggregates = new Set<string>();
    for (const { name, isAggregate, category, aliasOf } of functions) {
      const real = aliasOf === '' ? name : aliasOf;
      const pure =
        isAggregate || aggregates.has(real)
          ? !refusedAggregates.has(real)
          : pureCategories.has(categories.get(real) ?? category) || pureOthers.has(real);
      (pure ? allowed : refused).add(name);
      if (isAggregate && pure) aggregates.add(name);
    }
    // Two names may differ in their case alone: what one of them may not, the other may not either.
    for (const name of syntax) refused.delete(name);
    for (const name of refused) allowed.delete(name);
    return new FunctionRules(allowed, refused, aggregates, combinators);
  }

  allows(name: string): boolean {
    const lower = name.toLowerCase();
    return this.allowed.has(lower) || (!this.refused.has(lower) && this.isCombined(lower));
  }

  /** A function that there is, and that a reader may not call. */
  refuses(name: string): boolean {
    return this.refused.has(name.toLowerCase());
  }

  /** `sumIf`, `quantilesOrNullArray`: an aggregate function and what is done to it. */
  private isCombined(name: string): boolean {
    if (this.aggregates.has(name)) return true;
    return this.combinators.some((suffix) => name.endsWith(suffix) && this.isCombined(name.slice(0, -suffix.length)));
  }
}

interface EngineFunction {
  readonly name: string;
  readonly isAggregate: boolean;
  readonly category: string;
  readonly aliasOf: string;
}

function toFunction(line: string): EngineFunction {
  const [name = '', isAggregate, category = '', aliasOf = ''] = line.split('\t');
  return { name: name.toLowerCase(), isAggregate: isAggregate === '1', category, aliasOf: aliasOf.toLowerCase() };
}
