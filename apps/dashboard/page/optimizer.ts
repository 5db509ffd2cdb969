import { isPreconditioned, stabilityThreshold } from '#math/stability-threshold.js';
import type { RunBody } from '#dashboard/events/http.js';
import { formatValue } from './format.js';

type Constants = RunBody['optimizer'];

interface Described {
  readonly name: string;
  readonly rate: number | undefined;
  /** Θ as a formula of this optimizer's constants; undefined when it has none. */
  readonly formula: string | undefined;
  readonly threshold: number | undefined;
  readonly constants: readonly (readonly [string, string])[];
}

/** True when Θ belongs beside λ1(P⁻¹H), and never beside λ1. */
export function isComparedPreconditioned(constants: Constants): boolean {
  return isPreconditioned(String(constants['name'] ?? '')) || constants['ownRates'] === true;
}

/** The optimizer as people write it down, with its stability threshold at the rate that is in use. */
export function describeOptimizer(constants: Constants, currentRate: number | undefined): Described {
  const number = (...names: string[]): number => {
    for (const name of names) if (typeof constants[name] === 'number') return constants[name];
    return 0;
  };
  const name = String(constants['name'] ?? 'unknown');
  const momentum = number('momentum');
  const dampening = number('dampening');
  const nesterov = constants['nesterov'] === true;
  const beta1 = number('beta1');
  const given = number('learningRate', 'learning_rate', 'lr');
  const rate = currentRate ?? (given > 0 ? given : undefined);
  const shown: [string, number][] = [
    ['β', momentum],
    ['d', dampening],
    ['β₁', beta1],
    ['β₂', number('beta2')],
    ['weight decay', number('weightDecay', 'weight_decay')],
    ['groups', number('groups')],
  ];
  const ownRates = constants['ownRates'] === true;
  const rule = { name, momentum, dampening, nesterov, beta1 };
  const atRate = ownRates ? 1 : rate;
  const hasOne = constants['oneThreshold'] !== false;
  const threshold = hasOne && atRate !== undefined ? stabilityThreshold(rule, atRate) : undefined;
  const written = formula(name.toLowerCase(), momentum, dampening, nesterov, beta1);
  return {
    name: nesterov ? `${name}, Nesterov` : name,
    rate,
    formula: threshold === undefined ? undefined : ownRates ? `${written} at η = 1, on P⁻¹H with P = diag(1/ηᵢ)` : written,
    threshold,
    constants: shown.filter(([, value]) => value !== 0).map(([symbol, value]) => [symbol, formatValue(value)] as const),
  };
}

function formula(name: string, momentum: number, dampening: number, nesterov: boolean, beta1: number): string {
  const where = isPreconditioned(name) ? ' on P⁻¹H' : '';
  if (name === 'sgd' || (name === 'rmsprop' && momentum !== 0)) {
    if (momentum === 0 && dampening === 0) return `2/η${where}`;
    const damp = dampening === 0 || name === 'rmsprop' ? '' : '(1−d)';
    if (nesterov && name === 'sgd') return dampening === 0 ? '(2+2β)/(η(1+2β))' : '(2+2β)/(η(1+β(2−d)))';
    return damp === '' ? `(2+2β)/η${where}` : '(2+2β)/(η(1−d))';
  }
  if (beta1 === 0) return `2/η${where}`;
  return name === 'nadam' ? `(2+2β₁)/(η(1−β₁)(1+2β₁))${where}` : `(2+2β₁)/(η(1−β₁))${where}`;
}
