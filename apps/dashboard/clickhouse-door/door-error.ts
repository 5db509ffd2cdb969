const numbers = {
  BAD_ARGUMENTS: 36,
  NOT_IMPLEMENTED: 48,
  UNKNOWN_COMPRESSION_METHOD: 89,
  READONLY: 164,
  QUERY_IS_TOO_LARGE: 311,
  AUTHENTICATION_FAILED: 516,
  ACCESS_DENIED: 497,
  NO_SUCH_PATH: 1000,
  STD_EXCEPTION: 1001,
} as const;

export type DoorErrorName = keyof typeof numbers;

/** A refusal at the door itself, in ClickHouse's words. */
export class DoorError extends Error {
  override readonly name = 'DoorError';
  constructor(
    name: DoorErrorName,
    readonly status: number,
    message: string,
  ) {
    super(clickHouseMessage(name, message));
  }
}

export function clickHouseMessage(name: DoorErrorName, message: string): string {
  return `Code: ${numbers[name]}. DB::Exception: ${message}. (${name})`;
}
