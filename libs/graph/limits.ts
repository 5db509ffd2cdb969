/**
 * What a model from a stranger may be at most. Each limit is far above networks that people train on one machine and far
 * below what would fill one; all of them are looked at before memory is taken.
 */
export const limits = {
  /** Of a model file: protobuf's own bound. */
  fileBytes: 2 ** 31 - 1,
  /** Operators, with functions of the file written out. */
  nodes: 100_000,
  /** Fields of the file, each of which becomes an object or a number of its own. */
  fields: 4_000_000,
  /** Of a name in the file. */
  nameBytes: 4096,
  /** Of a list of whole numbers or floats that is not stored as raw bytes. */
  listBytes: 256 * 2 ** 20,
  /** Of any list of whole numbers; each becomes an object on its way. */
  wholeNumbers: 4_000_000,
  /** Values of a graph that an import makes, recurrences written out. */
  values: 500_000,
  /** Axes of a tensor. */
  axes: 32,
  /** Elements of any value for one example; offsets are 32-bit numbers. */
  valueElements: 2 ** 31 - 1,
  /** Multiplications and the like that are done while one graph is built: seconds. */
  foldedSteps: 2 ** 30,
  /** Numbers that are made meanwhile: a gigabyte, were all of them kept. The masks of 24 layers of a thousand tokens fit. */
  foldedElements: 2 ** 27,
  /** Functions that call functions. */
  functionDepth: 64,
} as const;
