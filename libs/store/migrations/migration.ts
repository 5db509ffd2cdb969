/** One numbered step of the schema. Once released it is never edited: its checksum is recorded in every database. */
export interface Migration {
  readonly number: number;
  readonly name: string;
  /** Run one by one; each must be harmless when it runs a second time (a crash may fall between two of them). */
  readonly statements: readonly string[];
}
