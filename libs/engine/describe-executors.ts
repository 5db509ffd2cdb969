export interface ExecutorDescription {
  readonly name: string;
  readonly available: boolean;
  readonly chosen: boolean;
  /** Why it was chosen, or why not. */
  readonly reason: string;
}

/** What this version can run graphs with, for `doctor`. Loads ONNX Runtime's native library to see that it can be loaded. */
export async function describeExecutors(): Promise<readonly ExecutorDescription[]> {
  const ortProblem = await problemOfOrt();
  const ortAvailable = ortProblem === undefined;
  return [
    {
      name: 'ort-cpu',
      available: ortAvailable,
      chosen: ortAvailable,
      reason: ortProblem ?? 'ONNX Runtime on the CPU, float32: the fastest of those in this version',
    },
    {
      name: 'reference',
      available: true,
      chosen: !ortAvailable,
      reason: ortAvailable
        ? 'float64 in JavaScript, slow: used to check products, never to measure'
        : 'float64 in JavaScript, slow: all that is left without ONNX Runtime',
    },
  ];
}

async function problemOfOrt(): Promise<string | undefined> {
  try {
    const { listSupportedBackends } = await import('onnxruntime-node');
    return listSupportedBackends().some(({ name }) => name === 'cpu')
      ? undefined
      : 'this build of ONNX Runtime has no CPU provider';
  } catch (error) {
    return `ONNX Runtime cannot be loaded: ${error instanceof Error ? error.message : String(error)}`;
  }
}
