import { Readable } from 'node:stream';
import { StagewatchError } from '#runtime/errors.js';
import type { ForeignQuery } from '../store.js';
export class ForeignQueries {
  static async open(path: string, database: string): Promise<ForeignQueries> {
    return new ForeignQueries();
  }
  async query(request: ForeignQuery): Promise<Readable> {
    throw new StagewatchError('QUERY_REFUSED', 'foreign queries are not answered yet');
  }
  async close(): Promise<void> {}
}
