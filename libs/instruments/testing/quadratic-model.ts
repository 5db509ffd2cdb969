import type { Linearization, ProbeModel } from '#engine/index.js';
import { createHostSpace } from '#math/host-space.js';

type Measured = Pick<ProbeModel, 'parameterCount' | 'parameters' | 'examples' | 'device' | 'space' | 'gradient' | 'linearize'>;

/** L(θ) = Σ λᵢ θᵢ² / 2 in coordinates where the Hessian is diagonal; counts what it is asked for. */
export function quadraticModel(
  eigenvalues: readonly number[],
): Measured & { readonly asked: { gradients: number; products: number } } {
  const size = eigenvalues.length;
  const asked = { gradients: 0, products: 0 };
  const times = (v: Float32Array): Float32Array => v.map((x, i) => eigenvalues[i]! * x);
  const space = createHostSpace(size);
  const multiply = async (vectors: readonly Float32Array[]): Promise<Float32Array[]> => {
    asked.products += vectors.length;
    return vectors.map(times);
  };
  const at = (theta: Float32Array): { loss: number; gradient: Float32Array } => ({
    loss: theta.reduce((sum, x, i) => sum + (eigenvalues[i]! * x * x) / 2, 0),
    gradient: times(theta),
  });
  return {
    asked,
    parameterCount: size,
    parameters: [{ name: 'theta', shape: [size], offset: 0, size }],
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
