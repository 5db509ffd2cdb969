import type { MeasureJob } from './measurer.js';

/** What float32 in two frameworks may differ by. */
const tolerance = 1e-3;

/**
 * Compares with the framework's own loss and gradient norm on the probe set, where it gave them for this step. Answers
 * what differs: then another network was exported than the one that trains.
 */
export function compareReference(loss: number, gradientNorm: number, { model, step }: MeasureJob): string | undefined {
  if (step !== model.referenceStep) return undefined;
  if (model.referenceLoss !== undefined && differs(loss, model.referenceLoss)) {
    return `the exported model has a loss of ${show(loss)} on the probe set, the framework says ${show(model.referenceLoss)}`;
  }
  if (model.referenceGradientNorm !== undefined && differs(gradientNorm, model.referenceGradientNorm)) {
    return `the exported model has a gradient norm of ${show(gradientNorm)} on the probe set, the framework says ${show(model.referenceGradientNorm)}`;
  }
  return undefined;
}

function differs(own: number, theirs: number): boolean {
  return !(Math.abs(own - theirs) <= tolerance * Math.max(Math.abs(theirs), 1e-6));
}

const show = (value: number): string => value.toPrecision(4);
