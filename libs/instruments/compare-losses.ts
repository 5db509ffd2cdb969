/** What the job logged as its training loss at a snapshot's step, and what was measured there on the probe set. */
export interface LossPair {
  readonly train: number;
  readonly probe: number;
}

/** Of these the newest are looked at. */
export const keptPairs = 30;
const fewestPairs = 12;
const standardErrors = 4;
/** The losses of a full batch are those of the probe set, but for rounding and half precision. */
const fullBatchShare = 0.01;
/** Examples that were not seen for longest cost more than those that were just seen; another loss costs something else. */
const miniBatchShare = 0.5;

/**
 * Do the training loss and the loss on the probe set differ for good, and by more than noise explains? Undefined while they do
 * not. Given θ, the loss of a batch has the probe set's as its mean, so their ratio has the mean 1.
 *
 * Of mini-batches only a loss that is too high counts: where few examples carry most of it, most batches lie far below the mean.
 */
export function lossesApart(pairs: readonly LossPair[], isFullBatch: boolean): string | undefined {
  const ratios = pairs
    .filter(({ train, probe }) => Number.isFinite(train) && probe > 1e-6)
    .map(({ train, probe }) => train / probe);
  if (ratios.length < fewestPairs) return undefined;
  const mean = ratios.reduce((a, b) => a + b, 0) / ratios.length;
  const variance = ratios.reduce((sum, ratio) => sum + (ratio - mean) ** 2, 0) / (ratios.length - 1);
  const noise = standardErrors * Math.sqrt(variance / ratios.length);
  const off = isFullBatch ? Math.abs(mean - 1) : mean - 1;
  if (!(off - noise > (isFullBatch ? fullBatchShare : miniBatchShare))) return undefined;
  return (
    `The training loss that the job logs is ${mean.toPrecision(3)} times the loss measured on the probe set, at ${ratios.length} snapshots ` +
    'running: what is trained is another loss than the one that was described, so its curvature is not shown. Say at attach which ' +
    'loss is stepped, or log it as it is.'
  );
}
