import { attachLoss, importOnnx, importTfjsLayers, type Graph, type LossSpec } from '#graph/index.js';
import { translated } from './graph-errors.js';

export interface ModelSource {
  readonly format: 'onnx' | 'tfjs-layers';
  readonly bytes: Uint8Array;
  /** Names of the trained tensors, in the order of a snapshot. */
  readonly parameters: readonly string[];
  readonly loss: LossSpec;
}

/** The training graph of an uploaded model. Throws a StagewatchError that names what is not understood. */
export function loadModel({ format, bytes, parameters, loss }: ModelSource): Graph {
  return translated(() => {
    const forward =
      format === 'onnx'
        ? importOnnx(bytes, { parameters })
        : importTfjsLayers(new TextDecoder().decode(bytes), parameters.length > 0 ? { parameters } : {});
    return attachLoss(forward, loss);
  });
}
