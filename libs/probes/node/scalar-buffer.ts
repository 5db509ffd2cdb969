import type { ToSender } from './messages.js';

type Points = Extract<ToSender, { kind: 'points' }>;

/** Gathers points into columns, so that one record carries many. */
export class ScalarBuffer {
  private names: string[] = [];
  private readonly indices = new Map<string, number>();
  private nameIndex: number[] = [];
  private steps: number[] = [];
  private values: number[] = [];
  private newest = 0;

  get length(): number {
    return this.values.length;
  }

  add(name: string, step: number, value: number): void {
    let index = this.indices.get(name);
    if (index === undefined) {
      index = this.names.length;
      this.names.push(name);
      this.indices.set(name, index);
    }
    this.nameIndex.push(index);
    this.steps.push(step);
    this.values.push(value);
    if (step > this.newest) this.newest = step;
  }

  take(): Points | undefined {
    if (this.values.length === 0) return undefined;
    const { names, nameIndex, steps, values, newest: step } = this;
    this.names = [];
    this.indices.clear();
    this.nameIndex = [];
    this.steps = [];
    this.values = [];
    return { kind: 'points', names, nameIndex, steps, values, step };
  }
}
