import type { ProbeModel } from '#engine/index.js';
import { norm } from '#math/vectors.js';

/** The state before an update: what a snapshot shows. */
export interface DescentStep {
  readonly step: number;
  readonly loss: number;
  readonly gradientNorm: number;
  readonly theta: Float32Array;
}

/** Plain full-batch gradient descent: θ ← θ − η∇L. Ends when the loss is no longer finite. */
export async function* descend(
  model: ProbeModel,
  start: Float32Array,
  options: { readonly learningRate: number; readonly steps: number },
): AsyncGenerator<DescentStep> {
  let theta = start;
  for (let step = 0; step < options.steps; step++) {
    const { loss, gradient } = await model.gradient(theta);
    yield { step, loss, gradientNorm: norm(gradient), theta };
    if (!Number.isFinite(loss)) return;
    theta = theta.map((value, i) => value - options.learningRate * gradient[i]!);
  }
}
