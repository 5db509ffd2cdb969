/**
 * What can be wrong with a model or with a probe set. This room may not import the service's error table, so each class
 * carries the code under which a door shows it.
 */
export interface GraphErrorDetail {
  /** The offending part, as its author would call it: `node /fc1/Gemm`, `parameters[2]`, `y`. */
  readonly field?: string;
  readonly value?: string;
  readonly expected?: string;
}

export abstract class GraphError extends Error {
  abstract readonly code: 'UNKNOWN_OP' | 'UNSUPPORTED_MODEL' | 'PROBE_SET_MISMATCH';
  readonly field: string | undefined;
  readonly value: string | undefined;
  readonly expected: string | undefined;

  constructor(message: string, detail: GraphErrorDetail = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.field = detail.field;
    this.value = detail.value;
    this.expected = detail.expected;
  }
}

/** A model file that is damaged, or that uses a known operator in a way that is not supported. */
export class UnsupportedModel extends GraphError {
  override readonly name = 'UnsupportedModel';
  readonly code = 'UNSUPPORTED_MODEL';
}

/** A probe set that does not fit the graph. */
export class ProbeSetMismatch extends GraphError {
  override readonly name = 'ProbeSetMismatch';
  readonly code = 'PROBE_SET_MISMATCH';
}

export interface UnknownOpDetail {
  /** The node's name in the model file. */
  readonly node: string;
  readonly op: string;
  /** `ai.onnx`, `tfjs` … */
  readonly domain: string;
  readonly opset?: number;
  /** Known operators with the most similar names, best first. */
  readonly nearest: readonly string[];
  readonly known: readonly string[];
}

/** An operator that the registry does not know. */
export class UnknownOp extends GraphError {
  override readonly name = 'UnknownOp';
  readonly code = 'UNKNOWN_OP';
  readonly node: string;
  readonly op: string;
  readonly domain: string;
  readonly opset: number | undefined;
  readonly nearest: readonly string[];

  constructor(detail: UnknownOpDetail) {
    const version = detail.opset === undefined ? '' : ` (opset ${detail.opset})`;
    const hint = detail.nearest.length > 0 ? `; the nearest known: ${detail.nearest.join(', ')}` : '';
    super(`Node '${detail.node}' uses the operator ${detail.domain}.${detail.op}${version}, which is not known${hint}`, {
      field: `node ${detail.node}`,
      value: `${detail.domain}.${detail.op}`,
      expected: `one of ${detail.known.join(', ')}`,
    });
    this.node = detail.node;
    this.op = detail.op;
    this.domain = detail.domain;
    this.opset = detail.opset;
    this.nearest = detail.nearest;
  }
}
