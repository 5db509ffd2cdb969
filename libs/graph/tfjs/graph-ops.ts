/** TensorFlow's operators, written as those of ONNX, whose readers and whose arithmetic of sizes then do the rest. */
import { UnknownOp } from '../errors.js';
import { nearest } from '../nearest.js';
import { arithmeticReaders } from './graph-arithmetic.js';
import type { GraphNodeView, Part, TensorFlowReader } from './graph-node.js';
import { shapeReaders } from './graph-shapes.js';
import { windowReaders } from './graph-windows.js';

const readers: ReadonlyMap<string, TensorFlowReader> = new Map(
  Object.entries({ ...arithmeticReaders, ...shapeReaders, ...windowReaders }),
);

export function readGraphNode(node: GraphNodeView): readonly Part[] {
  const reader = readers.get(node.op);
  if (reader !== undefined) return [reader(node)].flat();
  const known = [...readers.keys(), 'Const', 'Placeholder'].sort();
  throw new UnknownOp({ node: node.name, op: node.op, domain: 'tensorflow', nearest: nearest(node.op, known), known });
}
