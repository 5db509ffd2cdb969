/** An error of ours that reads like one of the engine's. */
export class EngineError extends Error {
  override readonly name = 'EngineError';

  constructor(number: number, message: string, kind: string) {
    super(`Code: ${number}. DB::Exception: ${message}. (${kind})`);
  }
}

/** The engine says some numbers twice. */
export function errorText(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  if (!text.startsWith('Code: ')) return `Code: 1002. DB::Exception: ${text}. (UNKNOWN_EXCEPTION)`;
  return text.replace(/^(Code: \d+\. DB::Exception: )\1/, '$1');
}

export function errorNumber(text: string): string {
  return /^Code: (\d+)/.exec(text)?.[1] ?? '1002';
}
