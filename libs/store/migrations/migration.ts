/** One numbered step of the schema. Once released it is never edited: its checksum is recorded in every database. */
export interface Migration {
  readonly number: number;
  readonly name: string;
  /** Run one by one; each must be harmless when it runs a second time (a crash may fall between two of them). */
  readonly statements: readonly Statement[];
}

/** SQL, or work on many rows that goes on after a crash where it was and says how far it is. */
export type Statement = string | Rebuild | Fill;

/** Gives a table another shape: its rows are copied into a new table, which then takes its name. */
export interface Rebuild {
  readonly kind: 'rebuild';
  readonly table: string;
  /** What follows the name in CREATE TABLE. It must have a PARTITION BY: by it a table is known to be rebuilt already. */
  readonly shape: string;
}

/** Writes into one table what a query finds in another, some runs at a time. */
export interface Fill {
  readonly kind: 'fill';
  readonly into: string;
  readonly from: string;
  readonly select: string;
  /** What follows the WHERE clause. */
  readonly groupBy: string;
}
