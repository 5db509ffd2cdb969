// Products and sums of long float32 vectors, accumulated in float64. Several vectors share one pass over memory, because
// a tracker's own arithmetic must stay small beside one Hessian-vector product.

/** Σ aᵢ bᵢ. */
export function dot(a: Float32Array, b: Float32Array): number {
  const n = a.length;
  const whole = n - (n % 4);
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let i = 0;
  for (; i < whole; i += 4) {
    s0 += a[i]! * b[i]!;
    s1 += a[i + 1]! * b[i + 1]!;
    s2 += a[i + 2]! * b[i + 2]!;
    s3 += a[i + 3]! * b[i + 3]!;
  }
  for (; i < n; i++) s0 += a[i]! * b[i]!;
  return s0 + s1 + (s2 + s3);
}

/** ‖a‖. */
export function norm(a: Float32Array): number {
  return Math.sqrt(dot(a, a));
}

/** The dot product of x with each of the vectors. */
export function dots(vectors: readonly Float32Array[], x: Float32Array): Float64Array {
  const out = new Float64Array(vectors.length);
  const n = x.length;
  let j = 0;
  for (; j + 4 <= vectors.length; j += 4) {
    const a = vectors[j]!;
    const b = vectors[j + 1]!;
    const c = vectors[j + 2]!;
    const d = vectors[j + 3]!;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let i = 0; i < n; i++) {
      const value = x[i]!;
      s0 += a[i]! * value;
      s1 += b[i]! * value;
      s2 += c[i]! * value;
      s3 += d[i]! * value;
    }
    out[j] = s0;
    out[j + 1] = s1;
    out[j + 2] = s2;
    out[j + 3] = s3;
  }
  for (; j < vectors.length; j++) out[j] = dot(vectors[j]!, x);
  return out;
}

/** out += Σ coefficientsⱼ vectorsⱼ. */
export function addCombination(out: Float32Array, vectors: readonly Float32Array[], coefficients: ArrayLike<number>): void {
  // A local length is worth a third of the time.
  const n = out.length;
  let j = 0;
  for (; j + 4 <= vectors.length; j += 4) {
    const a = vectors[j]!;
    const b = vectors[j + 1]!;
    const c = vectors[j + 2]!;
    const d = vectors[j + 3]!;
    const ca = coefficients[j]!;
    const cb = coefficients[j + 1]!;
    const cc = coefficients[j + 2]!;
    const cd = coefficients[j + 3]!;
    for (let i = 0; i < n; i++) out[i] = out[i]! + (ca * a[i]! + cb * b[i]! + (cc * c[i]! + cd * d[i]!));
  }
  for (; j < vectors.length; j++) {
    const a = vectors[j]!;
    const ca = coefficients[j]!;
    for (let i = 0; i < n; i++) out[i] = out[i]! + ca * a[i]!;
  }
}

/** No NaN, no infinity. */
export function isFiniteVector(vector: Float32Array): boolean {
  // A sum of float32 numbers cannot overflow in double, so it is finite unless one of them is not.
  let sum = 0;
  for (let i = 0; i < vector.length; i++) sum += vector[i]!;
  return Number.isFinite(sum);
}
