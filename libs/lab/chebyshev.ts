import { mlp, type Graph } from '#graph/index.js';
import { createRandom, normalVector } from '#math/random.js';

/**
 * A small regression that full-batch gradient descent takes through every stage: twenty points of a Chebyshev
 * polynomial, one hidden layer of tanh (Cohen et al. 2021, "Gradient Descent on Neural Networks Typically Occurs at the
 * Edge of Stability", appendix on tasks).
 */
export interface Task {
  readonly forward: Graph;
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly examples: number;
  readonly theta: Float32Array;
}

const examples = 20;
const hidden = 60;

export function chebyshevTask(degree: number, seed: number): Task {
  const x = Float32Array.from({ length: examples }, (_, i) => -1 + (2 * i) / (examples - 1));
  return {
    forward: mlp({ sizes: [1, hidden, 1], activation: 'tanh' }),
    x,
    // T_n(x) = cos(n arccos x) on [-1, 1].
    y: x.map((value) => Math.cos(degree * Math.acos(Math.max(-1, Math.min(1, value))))),
    examples,
    theta: initial(seed),
  };
}

/** Hidden weights of variance 1.9²·2/(1+h), output weights of variance 2h/(1+h)/h, biases 0, in the order of the parameters. */
function initial(seed: number): Float32Array {
  const random = createRandom(seed);
  const theta = new Float32Array(3 * hidden + 1);
  const first = 1.9 * Math.sqrt(2 / (1 + hidden));
  const last = Math.sqrt((2 * hidden) / (1 + hidden) / hidden);
  theta.set(
    normalVector(hidden, random).map((value) => value * first),
    0,
  );
  theta.set(
    normalVector(hidden, random).map((value) => value * last),
    2 * hidden,
  );
  return theta;
}
