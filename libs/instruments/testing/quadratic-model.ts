import type { Linearization, ProbeModel } from '#engine/index.js';

/** L(θ) = Σ λᵢ θᵢ² / 2 in coordinates where the Hessian is diagonal; counts what it is asked for. */
export function quadraticModel(
  eigenvalues: readonly number[],
): ProbeModel & { readonly asked: { gradients: number; products: number } } {
  const size = eigenvalues.length;
  const asked = { gradients: 0, products: 0 };
  const times = (v: Float32Array): Float32Array => v.map((x, i) => eigenvalues[i]! * x);
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
    loss: async (theta) => at(theta).loss,
    gradient: async (theta) => {
      asked.gradients++;
      return at(theta);
    },
    linearize: async (theta): Promise<Linearization> => ({
      ...at(theta),
      multiply: async (vectors) => {
        asked.products += vectors.length;
        return vectors.map(times);
      },
      close: async () => {},
    }),
    close: async () => {},
  };
}
