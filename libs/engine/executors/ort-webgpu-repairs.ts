import { decodeModel, type OnnxGraph, type OnnxNodeProto } from '#graph/onnx/proto.js';

/** Kernels of ONNX Runtime 1.30 for WebGPU that fail or are wrong; each was found by `doctor --verify`. */
const broken: Readonly<Record<string, (node: OnnxNodeProto, graph: OnnxGraph) => boolean>> = {
  // "The Indices output is not supported yet."
  MaxPool: ({ output }) => output.length > 1,
  // Steps below -1 give other elements.
  Slice: ({ input }, graph) => wholeNumbers(graph, input[4]).some((step) => step < -1),
  // It takes the exponentials as they are, and so overflows.
  ReduceLogSumExp: () => true,
  // Wrong where each group has one channel and a stride is above one.
  ConvTranspose: ({ attribute }) => attribute.some(({ name, i }) => name === 'group' && Number(i) > 1),
};

/** The nodes of an exported graph that the CPU has to run. */
export function nodesForCpu(onnx: Uint8Array): string[] {
  const { graph } = decodeModel(onnx);
  return (graph?.node ?? []).flatMap((node) => (graph && broken[node.opType ?? '']?.(node, graph) ? [node.name ?? ''] : []));
}

function wholeNumbers({ initializer }: OnnxGraph, name: string | undefined): readonly number[] {
  const found = initializer.find((tensor) => tensor.name === name);
  if (name === undefined || found?.rawData === undefined) return found?.int64Data ?? [];
  // Copied out first: an array may only look at memory that is aligned to its elements.
  return Array.from(new BigInt64Array(Uint8Array.from(found.rawData).buffer), Number);
}
