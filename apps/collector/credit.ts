/** How many bytes of records all streams together may have on the way. */
const totalBytes = 256 * 1024 * 1024;
const minBytes = 256 * 1024;
const maxBytes = 4 * 1024 * 1024;

/** The credit of one of so many streams. */
export function creditBytes(streams: number): number {
  return Math.max(minBytes, Math.min(maxBytes, Math.floor(totalBytes / Math.max(1, streams))));
}
