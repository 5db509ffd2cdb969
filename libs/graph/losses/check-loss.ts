/** A loss is said by somebody outside: what makes no sense is refused by the name of its field. */
import { UnsupportedModel } from '../errors.js';
import type { LossSpec } from '../graph.js';

const refusal = (field: string, value: unknown, expected: string): UnsupportedModel =>
  new UnsupportedModel(`The loss has ${field} = ${String(value)}, expected ${expected}`, {
    field: `loss.${field}`,
    value: String(value),
    expected,
  });

export function checkLoss(spec: LossSpec, parameters: readonly string[]): void {
  const { labelSmoothing, ignoredClass, delta, weightDecay } = spec;
  if (labelSmoothing !== undefined && !(labelSmoothing >= 0 && labelSmoothing <= 1))
    throw refusal('labelSmoothing', labelSmoothing, 'a number from 0 to 1');
  if (ignoredClass !== undefined && !Number.isSafeInteger(ignoredClass))
    throw refusal('ignoredClass', ignoredClass, 'a whole number');
  if (ignoredClass !== undefined && spec.targets === 'probabilities')
    throw refusal('ignoredClass', ignoredClass, 'none where the targets are probabilities');
  if (delta !== undefined && !(delta > 0 && Number.isFinite(delta))) throw refusal('delta', delta, 'a number above 0');
  if (spec.kind === 'output' && spec.output === undefined)
    throw refusal('output', 'nothing', 'the name of the output that holds the losses');
  if (weightDecay === undefined) return;
  if (!(weightDecay.strength >= 0 && Number.isFinite(weightDecay.strength)))
    throw refusal('weightDecay.strength', weightDecay.strength, 'a number from 0 on');
  const stranger = weightDecay.parameters?.find((name) => !parameters.includes(name));
  if (stranger !== undefined) throw refusal('weightDecay.parameters', stranger, `some of ${parameters.join(', ')}`);
}
