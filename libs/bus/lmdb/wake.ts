/** Wakes everybody who waits for something new; nobody polls. */
export class Wake {
  private readonly waiting = new Set<() => void>();

  /** Resolves at the next `all`, at the time-out, or when the signal is aborted. */
  wait(options: { readonly waitMs?: number; readonly signal?: AbortSignal | undefined }): Promise<void> {
    return new Promise((resolve) => {
      if (options.signal?.aborted === true) return resolve();
      let timer: NodeJS.Timeout | undefined;
      const done = (): void => {
        this.waiting.delete(done);
        if (timer !== undefined) clearTimeout(timer);
        options.signal?.removeEventListener('abort', done);
        resolve();
      };
      this.waiting.add(done);
      if (options.waitMs !== undefined) timer = setTimeout(done, options.waitMs);
      options.signal?.addEventListener('abort', done, { once: true });
    });
  }

  one(): void {
    for (const done of this.waiting) return done();
  }

  all(): void {
    for (const done of this.waiting) done();
  }
}
