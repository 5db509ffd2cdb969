import { Readable } from 'node:stream';
import { engineError, refusal } from './refusal.js';

/** A reader that takes nothing for this long gives its connection back. */
const maxStalledMs = 60_000;

/** The parts of a result as a stream; `stop` asks the engine to end, `finish` says that it has, for whatever reason. */
export class ResultStream extends Readable {
  private pending: IteratorResult<Uint8Array, void> | undefined;
  private stall: NodeJS.Timeout | undefined;
  private working: Promise<unknown> = Promise.resolve();

  constructor(
    first: IteratorResult<Uint8Array, void>,
    private readonly chunks: AsyncGenerator<Uint8Array, void>,
    private readonly query: { stop(): void; finish(): void },
  ) {
    super({ highWaterMark: 1 });
    this.pending = first;
    this.watch();
  }

  override _read(): void {
    clearTimeout(this.stall);
    const next = this.pending === undefined ? this.chunks.next() : Promise.resolve(this.pending);
    this.pending = undefined;
    this.working = next.then(
      (part) => {
        this.watch();
        if (part.done === true) this.push(null);
        else if (part.value.length === 0) this._read();
        else this.push(part.value);
      },
      (error: unknown) => this.destroy(engineError(error)),
    );
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    clearTimeout(this.stall);
    this.query.stop();
    void this.letGo(() => callback(error));
  }

  /** A connection is free only when the engine has let go of the query. */
  private async letGo(done: () => void): Promise<void> {
    await this.working;
    await this.chunks.return().catch(() => undefined);
    this.query.finish();
    done();
  }

  private watch(): void {
    clearTimeout(this.stall);
    this.stall = setTimeout(() => {
      this.destroy(refusal('TIMEOUT_EXCEEDED', `Nothing was read for ${maxStalledMs / 1000} s`));
    }, maxStalledMs);
    this.stall.unref();
  }
}
