import {
  attachLoss,
  checkProbeSet,
  importOnnx,
  importTfjs,
  isTfjsGraphModel,
  lossOutputsOf,
  lossSpecOf,
  parametersOf,
  sizeOf,
  type LossSpec,
} from '#graph/index.js';
import type { LossConvention, ModelDescription, ProbeSet } from '#wire/generated/messages.js';
import { refuse } from '../checks.js';
import { classRange } from './class-range.js';
import { readNpz, type RangeReader } from './npz-header.js';

/** What DescribeModel answers. */
export interface CheckedModel {
  readonly parameters: string[];
  readonly parameterCount: number;
}

export interface OpenedFiles {
  readonly graph: Buffer;
  readonly train: RangeReader;
  readonly val: RangeReader | undefined;
}

/** Looks at a model as the analyzer will, so that what cannot be measured is refused while somebody is there to read it. */
export async function checkModel(
  model: ModelDescription,
  loss: LossConvention | null,
  files: OpenedFiles,
): Promise<CheckedModel> {
  const spec = lossSpecOf(loss);
  const forward = importGraph(model, spec, files.graph);
  const inputs = parametersOf(forward);
  if (spec !== undefined) {
    const training = attachLoss(forward, spec);
    checkProbeSet(training, await probeSetShape(files.train, model.train!, 'model.train', spec.ignoredClass));
    if (files.val !== undefined)
      checkProbeSet(training, await probeSetShape(files.val, model.val!, 'model.val', spec.ignoredClass));
  }
  let parameterCount = 0;
  for (const { shape } of inputs) parameterCount += sizeOf(shape) ?? 0;
  return { parameters: inputs.map(({ name }) => name), parameterCount };
}

function importGraph(model: ModelDescription, spec: LossSpec | undefined, bytes: Buffer): ReturnType<typeof importOnnx> {
  switch (model.format) {
    case 'MODEL_FORMAT_ONNX':
      return importOnnx(bytes, {
        parameters: model.parameters,
        aliases: model.aliases,
        unused: Object.fromEntries(model.unused.map(({ name, shape }) => [name, shape])),
        outputs: lossOutputsOf(spec),
      });
    case 'MODEL_FORMAT_TFJS_LAYERS':
      return importTfjsModel(model, spec, bytes.toString('utf8'));
    case 'MODEL_FORMAT_UNSPECIFIED':
    default:
      return refuse('UNSUPPORTED_MODEL', 'the format of the model is not known', {
        field: 'model.format',
        value: model.format,
        expected: 'MODEL_FORMAT_ONNX or MODEL_FORMAT_TFJS_LAYERS',
      });
  }
}

/** A LayersModel says what is trained; of a GraphModel it is what the probe lists. */
function importTfjsModel(
  { parameters }: ModelDescription,
  spec: LossSpec | undefined,
  json: string,
): ReturnType<typeof importTfjs> {
  return importTfjs(json, {
    ...(parameters.length > 0 && isTfjsGraphModel(json) ? { parameters } : {}),
    outputs: lossOutputsOf(spec),
  });
}

type Shape = Parameters<typeof checkProbeSet>[1];

async function probeSetShape(file: RangeReader, set: ProbeSet, field: string, ignored: number | undefined): Promise<Shape> {
  const arrays = await readNpz(file, field);
  const [x, y] = [arrays.get('x'), arrays.get('y')];
  if (x === undefined || y === undefined) {
    refuse('PROBE_SET_MISMATCH', 'the probe set lacks an array', {
      field,
      value: [...arrays.keys()].slice(0, 10).join(', '),
      expected: 'arrays x and y',
    });
  }
  if (x.dtype !== 'float32' && x.dtype !== 'int64') {
    refuse('PROBE_SET_MISMATCH', 'the examples have another type than measurements take', {
      field: `${field}.x`,
      value: x.dtype,
      expected: 'float32, or int64 for token ids',
    });
  }
  if (set.examples !== 0 && set.examples !== x.shape[0]) {
    refuse('PROBE_SET_MISMATCH', 'the probe set holds another number of examples than was said', {
      field: `${field}.examples`,
      value: String(set.examples),
      expected: String(x.shape[0]),
    });
  }
  const inputs = Object.fromEntries([...arrays].filter(([name]) => name !== 'x' && name !== 'y'));
  const shape: Shape = { inputs, xShape: x.shape, xDtype: x.dtype, yShape: y.shape, yDtype: y.dtype, classNames: set.classNames };
  if (y.dtype !== 'int64') return shape;
  // As many labels as the examples have numbers at most: a file of labels alone is read no further.
  if (product(y.shape) > product(x.shape)) {
    refuse('PROBE_SET_MISMATCH', 'the probe set has more labels than numbers in its examples', {
      field: `${field}.y`,
      value: `[${y.shape.join(', ')}]`,
      expected: `at most ${product(x.shape)} labels`,
    });
  }
  return { ...shape, ...(await classRange(y.data(), ignored)) };
}

const product = (shape: readonly number[]): number => shape.reduce((size, dim) => size * dim, 1);
