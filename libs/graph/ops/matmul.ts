import { add, addIfAny, matmul, mul, reshape, sumTo } from '../emit.js';
import { UnsupportedModel } from '../errors.js';
import type { Dim, Shape } from '../graph.js';
import { at, flagAttribute } from '../op.js';
import type { Application, Emit, OnnxNode, OnnxWriter, OpDefinition, Value, WrittenNode } from '../op.js';
import type { TfjsTensor } from '../tfjs-ops.js';
import { broadcastOffsets, elements } from '../reference-tensor.js';
import { broadcastShapes, factorOf, fixedSize, mergedDim, showShape } from '../shapes.js';
import { madeBy } from './patterns.js';

const flags = (attributes: Application['attributes']): { transA: boolean; transB: boolean } => ({
  transA: flagAttribute(attributes, 'transA'),
  transB: flagAttribute(attributes, 'transB'),
});

/** Rows and columns, after the swap that the flag asks for. */
function matrixDims(shape: Shape, swapped: boolean): readonly [Dim, Dim] {
  const [rows, columns] = [at(shape, shape.length - 2), at(shape, shape.length - 1)];
  return swapped ? [columns, rows] : [rows, columns];
}

function productShape(a: Shape, b: Shape, transA: boolean, transB: boolean): Shape {
  if (a.length < 2 || b.length < 2) {
    throw new UnsupportedModel(`A matrix product of shapes ${showShape(a)} and ${showShape(b)}`, {
      expected: 'at least two axes in each',
    });
  }
  const [rows, innerA] = matrixDims(a, transA);
  const [innerB, columns] = matrixDims(b, transB);
  if (innerA !== innerB) {
    throw new UnsupportedModel(`A matrix product of shapes ${showShape(a)} and ${showShape(b)}`, {
      value: `inner axes ${innerA} and ${innerB}`,
      expected: 'equal inner axes',
    });
  }
  return [...broadcastShapes(a.slice(0, -2), b.slice(0, -2)), rows, columns];
}

/** A matrix that multiplies a stack from the right multiplies all its rows: they and the cotangent's as one matrix each. */
function allRows(e: Emit, a: Value, cotangent: Value): readonly [Value, Value] | undefined {
  const rows = mergedDim(a.shape.slice(0, -1));
  if (a.shape.length === 2 || rows === undefined) return undefined;
  return [
    reshape(e, a, [rows, at(a.shape, a.shape.length - 1)]),
    reshape(e, cotangent, [rows, at(cotangent.shape, cotangent.shape.length - 1)]),
  ];
}

const swapLast = (rank: number): number[] => [...Array.from({ length: rank - 2 }, (_, axis) => axis), rank - 1, rank - 2];

/** What the last two axes were before a transposition that swaps just them. */
function beforeSwap(value: Value): Value | undefined {
  const transposition = madeBy(value, 'transpose');
  const permutation = transposition?.attributes['permutation'];
  const swap = swapLast(value.shape.length);
  return Array.isArray(permutation) && permutation.every((axis, i) => axis === swap[i]) ? transposition?.inputs[0] : undefined;
}

function gemm(e: Emit, node: OnnxNode): Value {
  const [alpha, beta] = [node.float('alpha', 1), node.float('beta', 1)];
  const options = { transA: node.int('transA', 0) === 1, transB: node.int('transB', 0) === 1 };
  const product = mul(e, matmul(e, node.input(0), node.input(1), options), e.scalar(alpha));
  return node.has(2) ? add(e, product, mul(e, node.input(2), e.scalar(beta))) : product;
}

/** ONNX Runtime adds a bias inside a plain MatMul, and swaps axes for nothing inside a Gemm, which knows two axes only. */
function write(writer: OnnxWriter, node: WrittenNode): void {
  const { transA, transB } = flags(node.attributes);
  const [a, b] = [at(node.inputs, 0), at(node.inputs, 1)];
  const [rankA, rankB] = [at(node.inputTypes, 0).shape.length, at(node.inputTypes, 1).shape.length];
  if (rankA === 2 && rankB === 2 && (transA || transB)) {
    writer.node('Gemm', [a, b], { transA: { int: transA ? 1 : 0 }, transB: { int: transB ? 1 : 0 } }, node.output);
    return;
  }
  const swapped = (name: string, rank: number): string => writer.node('Transpose', [name], { perm: { ints: swapLast(rank) } });
  writer.node('MatMul', [transA ? swapped(a, rankA) : a, transB ? swapped(b, rankB) : b], {}, node.output);
}

/** The matrix product over the last two axes; axes in front broadcast. */
export const matmulOp: OpDefinition = {
  name: 'matmul',
  shape: (inputs, attributes) => {
    const { transA, transB } = flags(attributes);
    return productShape(at(inputs, 0).shape, at(inputs, 1).shape, transA, transB);
  },
  work: (inputs, attributes, shape) => fixedSize(shape) * factorOf(matrixDims(at(inputs, 0).shape, flags(attributes).transA)[1]),
  simplify: (e, inputs, attributes) => {
    const { transA, transB } = flags(attributes);
    const [a, b] = [at(inputs, 0), at(inputs, 1)];
    const [swappedA, swappedB] = [beforeSwap(a), beforeSwap(b)];
    if (swappedA === undefined && swappedB === undefined) return undefined;
    return matmul(e, swappedA ?? a, swappedB ?? b, {
      transA: swappedA === undefined ? transA : !transA,
      transB: swappedB === undefined ? transB : !transB,
    });
  },
  derivative: {
    // With A′, B′ the operands as they are multiplied: Ȧ′ = Ẏ B′ᵀ and Ḃ′ = A′ᵀ Ẏ.
    vjp: (e, { inputs, attributes }, cotangent, wanted) => {
      const { transA, transB } = flags(attributes);
      const [a, b] = [at(inputs, 0), at(inputs, 1)];
      const toA = (): Value =>
        transA ? matmul(e, b, cotangent, { transA: transB, transB: true }) : matmul(e, cotangent, b, { transB: !transB });
      const toB = (): Value => {
        const rows = b.shape.length === 2 && !transA ? allRows(e, a, cotangent) : undefined;
        if (rows !== undefined)
          return transB ? matmul(e, rows[1], rows[0], { transA: true }) : matmul(e, rows[0], rows[1], { transA: true });
        return transB ? matmul(e, cotangent, a, { transA: true, transB: transA }) : matmul(e, a, cotangent, { transA: !transA });
      };
      return [wanted[0] ? sumTo(e, toA(), a.shape) : undefined, wanted[1] ? sumTo(e, toB(), b.shape) : undefined];
    },
    jvp: (e, { inputs, attributes }, [tangentA, tangentB]) =>
      addIfAny(
        e,
        tangentA && matmul(e, tangentA, at(inputs, 1), flags(attributes)),
        tangentB && matmul(e, at(inputs, 0), tangentB, flags(attributes)),
      ),
  },
  reference: (inputs, attributes, shape) => {
    const { transA, transB } = flags(attributes);
    const [a, b] = [at(inputs, 0), at(inputs, 1)];
    const [rows, inner] = matrixDims(a.shape, transA) as readonly [number, number];
    const columns = at(shape, shape.length - 1);
    const [stepA, innerA] = transA ? [1, rows] : [inner, 1];
    const [innerB, stepB] = transB ? [1, inner] : [columns, 1];
    const stack = shape.slice(0, -2);
    const stackA = broadcastOffsets(a.shape.slice(0, -2), stack);
    const stackB = broadcastOffsets(b.shape.slice(0, -2), stack);
    const result = new Float64Array(elements(shape));
    let position = 0;
    for (let k = 0; k < stackA.length; k++) {
      const [startA, startB] = [(stackA[k] ?? 0) * rows * inner, (stackB[k] ?? 0) * inner * columns];
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < columns; j++) {
          let sum = 0;
          for (let l = 0; l < inner; l++) {
            sum +=
              (a.data[startA + i * stepA + l * innerA] ?? Number.NaN) * (b.data[startB + l * innerB + j * stepB] ?? Number.NaN);
          }
          result[position++] = sum;
        }
      }
    }
    return result;
  },
  // Some backends of tfjs multiply only operands of one rank.
  tfjs: (tf, inputs, attributes, shape) => {
    const { transA, transB } = flags(attributes);
    const [a, b] = [at(inputs, 0), at(inputs, 1)];
    const lifted = (x: TfjsTensor): TfjsTensor =>
      x.shape.length === shape.length
        ? x
        : tf.reshape(x, [...Array.from({ length: shape.length - x.shape.length }, () => 1), ...x.shape]);
    return tf.matMul(lifted(a), lifted(b), transA, transB);
  },
  onnx: {
    write,
    read: { MatMul: (e, node) => matmul(e, node.input(0), node.input(1)), Gemm: gemm },
  },
};
