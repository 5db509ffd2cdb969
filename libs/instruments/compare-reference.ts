/** What the training framework itself measured on the probe set. */
export interface ReferenceMeasurement {
  readonly loss: number | undefined;
  readonly gradientNorm: number | undefined;
}

export interface ReferenceVerdict {
  readonly ok: boolean;
  /** What differs first. */
  readonly what?: 'loss' | 'gradient norm';
  /** The larger relative difference; NaN when there was nothing to compare. */
  readonly difference: number;
  /** A sentence for a person; when not ok it says what to do. */
  readonly reason: string;
}

/** Two float32 implementations of the same network differ by less, also after thousands of examples; another network by more. */
const tolerance = 1e-3;
/** Below this two losses are equal, however they compare: nearly 0 is a small difference of rounded numbers. */
const smallest = 1e-6;

/**
 * Is the imported graph the network that is being trained? Exporters write training-mode normalisation as inference, keep
 * dropout, and lose scaling of the loss; whatever was exported is compared before a reading is believed.
 */
export function compareReference(
  reference: ReferenceMeasurement,
  measured: { loss: number; gradientNorm: number },
): ReferenceVerdict {
  const pairs = [
    { what: 'loss' as const, theirs: reference.loss, ours: measured.loss, hint: lossHint(reference.loss, measured.loss) },
    {
      what: 'gradient norm' as const,
      theirs: reference.gradientNorm,
      ours: measured.gradientNorm,
      hint: 'A part of the network does not train in the graph, or trains only there: compare the list of parameters with the optimizer.',
    },
  ];
  let difference = Number.NaN;
  for (const { what, theirs, ours, hint } of pairs) {
    if (theirs === undefined) continue;
    const relative = relativeDifference(theirs, ours);
    if (relative > tolerance || Number.isNaN(relative)) {
      return {
        ok: false,
        what,
        difference: relative,
        reason: `The exported graph is not the network that is trained: its ${what} on the probe set is ${show(ours)}, the framework's ${show(theirs)}. ${hint}`,
      };
    }
    difference = Number.isNaN(difference) ? relative : Math.max(difference, relative);
  }
  if (Number.isNaN(difference)) return { ok: true, difference, reason: 'The job gave no loss of its own to compare with.' };
  return { ok: true, difference, reason: `The graph agrees with the framework to ${difference.toPrecision(2)}.` };
}

/** NaN when one of two different values is not finite. */
function relativeDifference(a: number, b: number): number {
  if (Object.is(a, b)) return 0;
  const size = Math.max(Math.abs(a), Math.abs(b));
  return size < smallest ? 0 : Math.abs(a - b) / size;
}

function lossHint(theirs: number | undefined, ours: number): string {
  const ratio = theirs === undefined ? Number.NaN : ours / theirs;
  const near = (x: number): boolean => Math.abs(ratio / x - 1) < 1e-2;
  if (near(2) || near(0.5)) return 'They differ by a factor of 2: say in the loss convention whether squared errors are halved.';
  if (ratio > 1.5 && near(Math.round(ratio))) {
    return `They differ by a factor of ${Math.round(ratio)}: say in the loss convention whether squared errors are summed over outputs or averaged.`;
  }
  if (ratio < 0.7 && near(1 / Math.round(1 / ratio))) {
    return `They differ by a factor of 1/${Math.round(1 / ratio)}: say in the loss convention whether squared errors are summed over outputs or averaged.`;
  }
  return 'Export the model in training mode with dropout switched off, without constant folding, and measure the reference loss in the same mode on the same probe set.';
}

const show = (value: number): string => (Number.isFinite(value) ? value.toPrecision(6) : String(value));
