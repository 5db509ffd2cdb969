import type { Input } from '#wire/codec.js';
import type { StreamRecordsResponse } from '#wire/generated/messages.js';

interface Sink {
  write(message: Input<StreamRecordsResponse>): boolean;
  once(event: 'drain', listener: () => void): unknown;
}

/** Writes acknowledgements to a client that may read slowly: only the newest one ever waits. */
export class AckWriter {
  private newest: { readonly sequence: number; readonly creditBytes: number } | undefined;
  private blocked = false;

  constructor(private readonly sink: Sink) {}

  acknowledge(sequence: number, creditBytes: number): void {
    this.newest = { sequence, creditBytes };
    if (!this.blocked) this.flush();
  }

  /** Also for the end of the stream: what waits is written even so. */
  flush(): void {
    if (this.newest === undefined) return;
    const acknowledgement = this.newest;
    this.newest = undefined;
    if (this.sink.write({ acknowledgement })) return;
    this.blocked = true;
    this.sink.once('drain', () => {
      this.blocked = false;
      this.flush();
    });
  }
}
