import { GraphError } from '#graph/index.js';
import { StagewatchError } from '#runtime/errors.js';

/** A fault of a model or of a probe set, in the form that every door of the service knows. */
export function translated<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof GraphError)) throw error;
    const { field, value, expected } = error;
    throw new StagewatchError(
      error.code,
      error.message,
      {
        ...(field === undefined ? {} : { field }),
        ...(value === undefined ? {} : { value }),
        ...(expected === undefined ? {} : { expected }),
      },
      error,
    );
  }
}
