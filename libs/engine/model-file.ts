import { attachLoss, importOnnx, importTfjsLayers, parametersOf, type Graph, type LossSpec } from '#graph/index.js';
import { StagewatchError } from '#runtime/errors.js';
import { translated } from './graph-errors.js';
import { layoutOf } from './parameter-layout.js';
import { parametersFrom, type NamedTensor, type ReadParameters } from './parameter-file.js';
import { readTfjsWeights } from './tfjs-weights.js';

export interface ModelFile {
  readonly bytes: Uint8Array;
  /** A file beside this one, by a plain relative path; undefined where there is none. */
  readonly beside: (path: string) => Uint8Array | undefined;
}

export interface LoadedModel {
  /** A training graph. */
  readonly graph: Graph;
  /** The parameters that came with the file; undefined where they are not in it. */
  readonly initial: ReadParameters | undefined;
}

/** An ONNX file, or the `model.json` of a tfjs LayersModel: which it is, its first byte says. All its weights are parameters. */
export function loadModelFile(file: ModelFile, loss: LossSpec): LoadedModel {
  return translated(() => (file.bytes[0] === 0x7b ? loadTfjs(file, loss) : loadOnnx(file, loss)));
}

function loadOnnx({ bytes, beside }: ModelFile, loss: LossSpec): LoadedModel {
  const outputs = loss.kind === 'output' ? { outputs: [loss.output ?? ''] } : {};
  const graph = attachLoss(importOnnx(bytes, { external: beside, ...outputs }), loss);
  const tensors = new Map<string, NamedTensor>();
  for (const { name, shape, initial } of parametersOf(graph)) {
    if (initial !== undefined) tensors.set(name, { shape: shape.map(Number), data: initial });
  }
  const complete = tensors.size === parametersOf(graph).length;
  return { graph, initial: complete ? parametersFrom(tensors, layoutOf(graph)) : undefined };
}

function loadTfjs({ bytes, beside }: ModelFile, loss: LossSpec): LoadedModel {
  const json = new TextDecoder().decode(bytes);
  const graph = attachLoss(importTfjsLayers(json), loss);
  const weights = readTfjsWeights(json, beside);
  return { graph, initial: weights === undefined ? undefined : parametersFrom(weights, layoutOf(graph)) };
}

/** Throws where a model file came without parameters and none were given besides. */
export function initialOf({ initial }: LoadedModel): ReadParameters {
  if (initial !== undefined) return initial;
  throw new StagewatchError('INVALID_ARGUMENT', 'The model file holds no values of its parameters', {
    field: 'parameters',
    expected: 'a .safetensors or an .npz file with them',
  });
}
