import type { Value } from './op.js';

/** Answers, of any value, whether it is made of one of these. Remembers what it has found. */
export function dependenceOn(sources: readonly Value[]): (value: Value) => boolean {
  const depends = new Map<Value, boolean>(sources.map((source) => [source, true]));
  return (value) => {
    // A stack of its own: a network may be deeper than calls may be.
    const open = [value];
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const inputs = top.source.kind === 'op' && !depends.has(top) ? top.source.inputs : [];
      const unknown = inputs.filter((input) => !depends.has(input));
      if (unknown.length > 0) {
        for (const input of unknown) open.push(input);
        continue;
      }
      if (!depends.has(top))
        depends.set(
          top,
          inputs.some((input) => depends.get(input)),
        );
      open.pop();
    }
    return depends.get(value) ?? false;
  };
}
