import * as ort from 'onnxruntime-node';
import { exportOnnx } from '../onnx/export.js';
import type { DType, Graph } from '../graph.js';
import type { ReferenceTensor } from '../reference-tensor.js';
import type { ReferenceValues } from '../run-reference.js';

function tensorOf(dtype: DType, { shape, data }: ReferenceTensor): ort.Tensor {
  if (dtype === 'int64') return new ort.Tensor('int64', BigInt64Array.from(data, BigInt), [...shape]);
  if (dtype === 'bool') return new ort.Tensor('bool', Uint8Array.from(data), [...shape]);
  return new ort.Tensor('float32', Float32Array.from(data), [...shape]);
}

/** What ONNX Runtime makes of the exported graph. */
export async function runOrt(graph: Graph, inputs: ReferenceValues): Promise<Record<string, Float32Array>> {
  const session = await ort.InferenceSession.create(exportOnnx(graph), { logSeverityLevel: 3 });
  const feeds = graph.inputs.flatMap(({ name, dtype }) => {
    const tensor = inputs[name];
    return tensor ? [[name, tensorOf(dtype, tensor)] as const] : [];
  });
  const results = await session.run(Object.fromEntries(feeds));
  await session.release();
  return Object.fromEntries(
    graph.outputs.map(({ name }) => [name, Float32Array.from(results[name]?.data as ArrayLike<number | bigint>, Number)]),
  );
}
