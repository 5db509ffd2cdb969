import { attachLoss, importOnnx, importTfjs, lossOutputsOf, type Graph, type LossSpec } from '#graph/index.js';
import { translated } from './graph-errors.js';

export interface ModelSource {
  /** `tfjs-layers` is any `model.json` of tfjs: whether it is a LayersModel or a GraphModel, the file says. */
  readonly format: 'onnx' | 'tfjs-layers';
  readonly bytes: Uint8Array;
  /** Names of the trained tensors, in the order of a snapshot. */
  readonly parameters: readonly string[];
  readonly loss: LossSpec;
  /** Further names of parameters in the file, and shapes of those that it lacks because nothing uses them. */
  readonly aliases?: Readonly<Record<string, string>> | undefined;
  readonly unused?: readonly { readonly name: string; readonly shape: readonly number[] }[] | undefined;
}

/** The training graph of an uploaded model. Throws a StagewatchError that names what is not understood. */
export function loadModel({ format, bytes, parameters, loss, aliases, unused = [] }: ModelSource): Graph {
  return translated(() => {
    const outputs = { outputs: lossOutputsOf(loss) };
    const forward =
      format === 'onnx'
        ? importOnnx(bytes, { parameters, aliases, unused: shapesOf(unused), ...outputs })
        : importTfjs(new TextDecoder().decode(bytes), { ...outputs, ...(parameters.length > 0 ? { parameters } : {}) });
    return attachLoss(forward, loss);
  });
}

const shapesOf = (unused: NonNullable<ModelSource['unused']>): Record<string, readonly number[]> =>
  Object.fromEntries(unused.map(({ name, shape }) => [name, shape]));
