import type { Linearization, ProbeModel } from '#engine/index.js';
import { createHostSpace } from '#math/host-space.js';

type Measured = Pick<ProbeModel, 'parameterCount' | 'parameters' | 'examples' | 'device' | 'space' | 'gradient' | 'linearize'>;

/** L(θ) = Σ λᵢ θᵢ² / 2 in coordinates where the Hessian is diagonal; counts what it is asked for. */
export function quadraticModel(eigenvalues: readonly number[]): ReturnType<typeof quadratic> {
  return quadratic(eigenvalues.length, (v) => v.map((x, i) => eigenvalues[i]! * x));
}

/** L(θ) = θᵀAθ / 2, with the numbers of θ under names. */
export function denseQuadraticModel(
  a: readonly (readonly number[])[],
  sizes: Readonly<Record<string, number>>,
): ReturnType<typeof quadratic> {
  return quadratic(a.length, (v) => Float32Array.from(a, (row) => row.reduce((sum, x, j) => sum + x * v[j]!, 0)), sizes);
}

function quadratic(
  size: number,
  times: (v: Float32Array) => Float32Array,
  sizes: Readonly<Record<string, number>> = { theta: size },
): Measured & { readonly asked: { gradients: number; products: number } } {
  const asked = { gradients: 0, products: 0 };
  let offset = 0;
  const parameters = Object.entries(sizes).map(([name, count]) => {
    offset += count;
    return { name, shape: [count], offset: offset - count, size: count };
  });
  const space = createHostSpace(size);
  const multiply = async (vectors: readonly Float32Array[]): Promise<Float32Array[]> => {
    asked.products += vectors.length;
    return vectors.map(times);
  };
  const at = (theta: Float32Array): { loss: number; gradient: Float32Array } => ({
    loss: times(theta).reduce((sum, x, i) => sum + (x * theta[i]!) / 2, 0),
    gradient: times(theta),
  });
  return {
    asked,
    parameterCount: size,
    parameters,
    examples: 1,
    device: 'test',
    space,
    gradient: async (theta) => {
      asked.gradients++;
      return at(theta);
    },
    linearize: async (theta): Promise<Linearization> => ({
      ...at(theta),
      multiply,
      multiplyBlock: async (block) => space.fromHost(await multiply(await space.toHost(block))),
      close: async () => {},
    }),
  };
}
