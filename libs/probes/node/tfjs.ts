import type { NamedTensor } from '#wire/tensors.js';
import { attach, type Run } from './run.js';
import type { AttachOptions } from './options.js';

/** The part of a tfjs LayersModel that is used; the package itself is the user's. */
export interface TfjsModel {
  readonly name: string;
  readonly trainableWeights: readonly { readonly originalName: string; read(): TfjsTensor }[];
  toJSON(unused?: unknown, returnString?: boolean): unknown;
}

export interface TfjsTensor {
  readonly shape: readonly number[];
  dataSync(): ArrayLike<number>;
}

/** A callback for `model.fit`, in the form that takes plain functions. */
export interface TfjsCallbacks {
  onBatchBegin(batch: number): void;
  onBatchEnd(batch: number, logs?: { readonly [name: string]: number }): void;
}

export interface TfjsRun extends Run {
  /** The parameters as they are now, by their names in the model. */
  tensors(): NamedTensor[];
  /** For `model.fit(x, y, { callbacks: run.callbacks() })`: one step a batch, with its loss and the snapshots that are due. */
  callbacks(): TfjsCallbacks;
}

/** Watches the training of a tfjs LayersModel. Its graph and parameters come from the model itself. */
export function attachTfjs(model: TfjsModel, options: Omit<AttachOptions, 'model'>): TfjsRun {
  const tensors = (): NamedTensor[] =>
    model.trainableWeights.map((weight) => {
      const tensor = weight.read();
      return { name: weight.originalName, shape: tensor.shape, data: Float32Array.from(tensor.dataSync()) };
    });
  const graph = JSON.stringify(model.toJSON(undefined, false));
  const parameters = model.trainableWeights.map(({ originalName }) => originalName);
  const run = attach({ framework: 'tfjs', ...options, model: { format: 'tfjs-layers', graph, parameters } });
  let before: NamedTensor[] | undefined;
  return {
    attached: run.attached,
    snapshotDue: (step) => run.snapshotDue(step),
    step: (values) => run.step(values),
    end: (status, message) => run.end(status, message),
    tensors,
    callbacks: () => ({
      // The parameters before the update, the loss after the batch: both belong to the same step.
      onBatchBegin: () => {
        before = run.snapshotDue() ? tensors() : undefined;
      },
      onBatchEnd: (_batch, logs = {}) => {
        const { batch: _index, size: _size, ...values } = logs;
        const kept = before;
        run.step({ ...values, lr: options.optimizer.learningRate, ...(kept === undefined ? {} : { snapshot: () => kept }) });
      },
    }),
  };
}
