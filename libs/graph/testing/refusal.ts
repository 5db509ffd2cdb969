/** What a call throws; a call that throws nothing fails the test. */
export function refusal(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('It was not refused');
}
