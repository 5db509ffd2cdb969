import {
  attachLoss,
  importOnnx,
  importTfjs,
  isTfjsGraphModel,
  parametersOf,
  type Graph,
  type LossSpec,
  type OnnxImportOptions,
} from '#graph/index.js';
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

/** How an ONNX file or a GraphModel is to be read, where it does not say so itself. */
export type ModelFileOptions = Pick<OnnxImportOptions, 'given' | 'sizes'> & {
  /** The output that the loss is computed from. */
  readonly output?: string | undefined;
};

export interface LoadedModel {
  /** A training graph. */
  readonly graph: Graph;
  /** The parameters that came with the file; undefined where they are not in it. */
  readonly initial: ReadParameters | undefined;
}

/** An ONNX file, or the `model.json` of tfjs: which it is, its first byte says. All its weights are parameters. */
export function loadModelFile(file: ModelFile, loss: LossSpec, options: ModelFileOptions = {}): LoadedModel {
  if (file.bytes[0] !== 0x7b)
    return translated(() => withInitial(importOnnx(file.bytes, importOptions(file, loss, options)), loss));
  const json = new TextDecoder().decode(file.bytes);
  if (translated(() => isTfjsGraphModel(json)))
    return translated(() => withInitial(importTfjs(json, importOptions(file, loss, options)), loss));
  const [asked] = Object.entries(options).flatMap(([field, value]) => (value === undefined ? [] : [field]));
  if (asked === undefined) return translated(() => loadLayers(json, file, loss));
  throw new StagewatchError('INVALID_ARGUMENT', 'A tfjs LayersModel says itself what its inputs and outputs are', {
    field: asked,
    expected: `an ONNX file or a GraphModel where there is ${asked}`,
  });
}

function importOptions({ beside }: ModelFile, loss: LossSpec, { output, given, sizes }: ModelFileOptions): OnnxImportOptions {
  const asked = [output, loss.kind === 'output' ? (loss.output ?? '') : undefined].filter((name) => name !== undefined);
  return { external: beside, given, sizes, ...(asked.length > 0 ? { outputs: [...new Set(asked)] } : {}) };
}

/** The training graph, and the values that its parameters have in the file. */
function withInitial(forward: Graph, loss: LossSpec): LoadedModel {
  const graph = attachLoss(forward, loss);
  const tensors = new Map<string, NamedTensor>();
  for (const { name, shape, initial } of parametersOf(graph)) {
    if (initial !== undefined) tensors.set(name, { shape: shape.map(Number), data: initial });
  }
  const complete = tensors.size === parametersOf(graph).length;
  return { graph, initial: complete ? parametersFrom(tensors, layoutOf(graph)) : undefined };
}

function loadLayers(json: string, { beside }: ModelFile, loss: LossSpec): LoadedModel {
  const graph = attachLoss(importTfjs(json), loss);
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
