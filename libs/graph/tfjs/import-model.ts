import { UnsupportedModel } from '../errors.js';
import type { Graph } from '../graph.js';
import { isGraphModel } from './graph-def.js';
import { importGraphModel } from './graph-model.js';
import type { GraphModelOptions } from './graph-model.js';
import { importTfjsLayers } from './import.js';

/** Reads a forward graph from the text of a tfjs `model.json`: a LayersModel or a GraphModel, as the file says. */
export function importTfjs(text: string, options: GraphModelOptions = {}): Graph {
  const json = parsed(text);
  if (isGraphModel(json)) return importGraphModel(json, options);
  return importTfjsLayers(text, options.parameters === undefined ? {} : { parameters: options.parameters });
}

export const isTfjsGraphModel = (text: string): boolean => isGraphModel(parsed(text));

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const detail = { field: 'graph', expected: 'the text of a model.json' };
    throw new UnsupportedModel('The tfjs model is not JSON', detail, cause);
  }
}
