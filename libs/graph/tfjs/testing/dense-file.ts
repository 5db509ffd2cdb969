import type { Graph } from '../../graph.js';
import { parametersOf } from '../../queries.js';
import type { GraphModelOptions } from '../graph-model.js';
import { importTfjs } from '../import-model.js';
import { GraphFile } from './graph-files.js';

/** One layer: w1, a tanh and b1. */
export function dense(): GraphFile {
  const file = new GraphFile();
  const hidden = file.node('MatMul', [file.placeholder('x', [-1, 4]), file.weight('w1', [4, 3])], {}, 'hidden');
  file.node('BiasAdd', [file.node('Tanh', [hidden]), file.weight('b1', [3])], {}, 'y');
  return file;
}

export const read = (file: GraphFile, options: GraphModelOptions = {}): Graph =>
  importTfjs(JSON.stringify(file.json()), { external: () => file.bytes, ...options });
export const namesOf = (graph: Graph): string[] => parametersOf(graph).map(({ name }) => name);
