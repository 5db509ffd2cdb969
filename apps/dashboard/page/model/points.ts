/** Points of one line within one attempt, by step; at most one a step. */
export class Points {
  steps: number[] = [];
  values: number[] = [];
  /** NaN where there is none; undefined while there is none at all. */
  bounds: number[] | undefined;

  constructor(readonly attempt: number) {}

  get size(): number {
    return this.steps.length;
  }

  /** True when the point went to the end. `replace` says whether a point that is there gives way. */
  put(step: number, value: number, bound: number, replace: boolean): 'appended' | 'changed' | 'kept' {
    const { steps, values } = this;
    if (!Number.isNaN(bound)) this.bounds ??= steps.map(() => Number.NaN);
    const last = steps.length - 1;
    if (last < 0 || step > steps[last]!) {
      steps.push(step);
      values.push(value);
      this.bounds?.push(bound);
      return 'appended';
    }
    const at = lowerBound(steps, step);
    if (steps[at] === step) {
      if (!replace || (Object.is(values[at], value) && (this.bounds === undefined || Object.is(this.bounds[at], bound))))
        return 'kept';
      values[at] = value;
      if (this.bounds !== undefined) this.bounds[at] = bound;
      return 'changed';
    }
    steps.splice(at, 0, step);
    values.splice(at, 0, value);
    this.bounds?.splice(at, 0, bound);
    return 'changed';
  }

  /** Many points at once, in step order; a point that is there stays. One pass, however many there are. */
  mergeOlder(steps: readonly number[], values: readonly number[], bounds: readonly number[] | undefined): void {
    const mine = { steps: this.steps, values: this.values, bounds: this.bounds };
    const withBounds = mine.bounds !== undefined || bounds?.some((bound) => !Number.isNaN(bound)) === true;
    const out = { steps: [] as number[], values: [] as number[], bounds: [] as number[] };
    const push = (step: number, value: number, bound: number): void => {
      const last = out.steps.length - 1;
      if (last >= 0 && out.steps[last] === step) {
        // Logged twice at one step: the later one counts.
        out.values[last] = value;
        out.bounds[last] = bound;
        return;
      }
      out.steps.push(step);
      out.values.push(value);
      out.bounds.push(bound);
    };
    let i = 0;
    let j = 0;
    while (i < mine.steps.length || j < steps.length) {
      const ours = i < mine.steps.length ? mine.steps[i]! : Infinity;
      const theirs = j < steps.length ? steps[j]! : Infinity;
      if (theirs < ours) {
        push(theirs, values[j]!, bounds?.[j] ?? Number.NaN);
        j++;
      } else {
        push(ours, mine.values[i]!, mine.bounds?.[i] ?? Number.NaN);
        i++;
        while (j < steps.length && steps[j] === ours) j++;
      }
    }
    this.steps = out.steps;
    this.values = out.values;
    this.bounds = withBounds ? out.bounds : undefined;
  }

  /** Keeps the extremes of each of `buckets` equal stretches, and the first point that is not finite. */
  thin(buckets: number): void {
    const { steps, values } = this;
    const size = Math.ceil(steps.length / buckets);
    const keep: number[] = [];
    for (let start = 0; start < steps.length; start += size) {
      const end = Math.min(steps.length, start + size);
      let low = -1;
      let high = -1;
      let broken = -1;
      for (let i = start; i < end; i++) {
        const value = values[i]!;
        if (!Number.isFinite(value)) broken = broken < 0 ? i : broken;
        else {
          if (low < 0 || value < values[low]!) low = i;
          if (high < 0 || value > values[high]!) high = i;
        }
      }
      const kept = [...new Set([low, high, broken])].filter((i) => i >= 0).sort((a, b) => a - b);
      for (const i of kept) keep.push(i);
    }
    this.steps = keep.map((i) => steps[i]!);
    this.values = keep.map((i) => values[i]!);
    const bounds = this.bounds;
    if (bounds !== undefined) this.bounds = keep.map((i) => bounds[i]!);
  }
}

/** Index of the first element that is not below `value`. */
export function lowerBound(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
