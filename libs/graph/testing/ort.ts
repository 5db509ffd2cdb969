import * as ort from 'onnxruntime-node';
import { exportOnnx } from '../onnx/export.js';
import type { Graph } from '../graph.js';
import type { ReferenceValues } from '../run-reference.js';

/** What ONNX Runtime makes of the exported graph. */
export async function runOrt(graph: Graph, inputs: ReferenceValues): Promise<Record<string, Float32Array>> {
  const session = await ort.InferenceSession.create(exportOnnx(graph), { logSeverityLevel: 3 });
  const feeds = graph.inputs.flatMap(({ name }) => {
    const tensor = inputs[name];
    return tensor ? [[name, new ort.Tensor('float32', Float32Array.from(tensor.data), [...tensor.shape])] as const] : [];
  });
  const results = await session.run(Object.fromEntries(feeds));
  await session.release();
  return Object.fromEntries(graph.outputs.map(({ name }) => [name, results[name]?.data as Float32Array]));
}
