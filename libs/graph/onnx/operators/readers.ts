/** ONNX operators that are read as compositions of ops: they leave no op of their own behind. */
import type { OnnxReader } from '../../op.js';
import { activationReaders } from './activations.js';
import { attention } from './attention.js';
import { batchNormalization } from './batch-normalization.js';
import { convolutionReaders } from './convolution.js';
import { groupNormalization, instanceNormalization, meanVarianceNormalization } from './group-normalization.js';
import { cuttingReaders } from './cutting.js';
import { einsum } from './einsum.js';
import { gru } from './gru.js';
import {
  layerNormalization,
  rmsNormalization,
  skipLayerNormalization,
  skipSimplifiedLayerNormalization,
} from './layer-normalization.js';
import { localResponseNormalization } from './local-response-normalization.js';
import { lpNormalization } from './lp-normalization.js';
import { lstm } from './lstm.js';
import { pickingReaders } from './picking.js';
import { poolingReaders } from './pooling.js';
import { resizeReaders } from './resize.js';
import { rnn } from './rnn.js';
import { rotaryEmbedding } from './rotary-embedding.js';

export const compositionReaders: Readonly<Record<string, OnnxReader>> = {
  ...activationReaders,
  ...cuttingReaders,
  ...convolutionReaders,
  ...pickingReaders,
  ...poolingReaders,
  ...resizeReaders,
  Attention: attention,
  BatchNormalization: batchNormalization,
  Einsum: einsum,
  GRU: gru,
  GroupNormalization: groupNormalization,
  InstanceNormalization: instanceNormalization,
  LRN: localResponseNormalization,
  LSTM: lstm,
  LayerNormalization: layerNormalization,
  LpNormalization: lpNormalization,
  MeanVarianceNormalization: meanVarianceNormalization,
  RMSNormalization: rmsNormalization,
  RNN: rnn,
  RotaryEmbedding: rotaryEmbedding,
  SimplifiedLayerNormalization: rmsNormalization,
  'com.microsoft.SkipLayerNormalization': skipLayerNormalization,
  'com.microsoft.SkipSimplifiedLayerNormalization': skipSimplifiedLayerNormalization,
};
