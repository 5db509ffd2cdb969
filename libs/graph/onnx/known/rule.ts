import type { OnnxNode } from '../../op.js';
import type { WorkBudget } from '../../work-budget.js';
import type { KnownTensor } from './known.js';

/** A node all of whose inputs are known. */
export interface KnownNode extends Pick<OnnxNode, 'opset' | 'int' | 'ints' | 'unsupported'> {
  /** Those that are given. */
  readonly inputs: readonly KnownTensor[];
  readonly work: WorkBudget;
  /** The input at this place, which must be given. */
  operand(index: number): KnownTensor;
  has(index: number): boolean;
}

export type Rule = (node: KnownNode) => KnownTensor;
