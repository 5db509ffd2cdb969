// xoshiro128**, Blackman and Vigna 2018 ("Scrambled linear pseudorandom number generators"), seeded through splitmix32.
// Normal numbers: the polar method, Marsaglia and Bray 1964.

export interface Random {
  /** In [0, 1), 32 bits. */
  uniform(): number;
  /** Mean 0, variance 1. */
  normal(): number;
  /** An integer in [0, limit). */
  integer(limit: number): number;
}

const rotateLeft = (x: number, k: number): number => (x << k) | (x >>> (32 - k));

/** The same seed gives the same numbers on every machine. Seeds are taken modulo 2³². */
export function createRandom(seed: number): Random {
  const s = new Uint32Array(4);
  let mix = seed >>> 0;
  for (let i = 0; i < 4; i++) {
    mix = (mix + 0x9e3779b9) >>> 0;
    let z = Math.imul(mix ^ (mix >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    s[i] = z ^ (z >>> 16);
  }
  const next = (): number => {
    const [a, b, c, d] = s as unknown as [number, number, number, number];
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    s[2] = c ^ a;
    s[3] = d ^ b;
    s[1] = b ^ s[2];
    s[0] = a ^ s[3];
    s[2] = s[2] ^ (b << 9);
    s[3] = rotateLeft(s[3], 11);
    return result;
  };
  const uniform = (): number => next() / 2 ** 32;
  let spare: number | undefined;
  const normal = (): number => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    for (;;) {
      const x = 2 * uniform() - 1;
      const y = 2 * uniform() - 1;
      const r2 = x * x + y * y;
      if (r2 > 0 && r2 < 1) {
        const scale = Math.sqrt((-2 * Math.log(r2)) / r2);
        spare = y * scale;
        return x * scale;
      }
    }
  };
  return { uniform, normal, integer: (limit) => Math.floor(uniform() * limit) };
}

/** A vector of independent standard normal numbers. */
export function normalVector(size: number, random: Random): Float32Array {
  const out = new Float32Array(size);
  for (let i = 0; i < size; i++) out[i] = random.normal();
  return out;
}
