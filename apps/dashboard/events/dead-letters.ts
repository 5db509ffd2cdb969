/** A message that a group has set aside. */
export interface DeadLetterBody {
  /** `STREAM/GROUP/RUN/POSITION`: its address under `/api/dead-letters`. */
  readonly id: string;
  readonly stream: string;
  readonly group: string;
  readonly run: string;
  readonly position: number;
  readonly reason: string;
  /** When it was set aside. */
  readonly timeMs: number;
  /** When it was received. */
  readonly receivedMs: number;
  /** As its sender named it. */
  readonly message: string;
  readonly bytes: number;
}

/** `GET /api/dead-letters?run=&group=&limit=`, the newest first. */
export interface DeadLettersAnswer {
  /** Of all groups and runs, whatever was asked for. */
  readonly held: number;
  readonly deadLetters: readonly DeadLetterBody[];
}

/** `GET /api/dead-letters/STREAM/GROUP/RUN/POSITION` */
export interface DeadLetterAnswer {
  readonly deadLetter: DeadLetterBody;
  /** The message itself, base64. */
  readonly content: string;
}

/** `POST /api/dead-letters/STREAM/GROUP/RUN/POSITION/retry` */
export interface DeadLetterRetriedAnswer {
  readonly retried: true;
}
