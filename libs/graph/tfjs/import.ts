import { GraphBuilder } from '../builder.js';
import { UnsupportedModel } from '../errors.js';
import type { Dim, Graph } from '../graph.js';
import { limits } from '../limits.js';
import type { Value } from '../op.js';
import { madeBy } from '../ops/patterns.js';
import { parametersOf } from '../queries.js';
import { readLayer } from './layers.js';
import { readTopology } from './topology.js';
import type { LayerJson, Place, Topology } from './topology.js';

export interface TfjsImportOptions {
  /**
   * The snapshot's tensors, in order: every trained tensor of the model once. Without it, the order of the layers.
   * A number that tfjs has put behind a name is accepted (`first/kernel_1`), and the graph then uses that name: tfjs does so
   * to the second model in a process that has a layer `first`, and the model's JSON does not say it.
   */
  readonly parameters?: readonly string[];
}

/**
 * Reads a forward graph from the JSON text of a tfjs LayersModel (sequential, or functional with one input and one output).
 * Parameters are called `<layer>/kernel` and `<layer>/bias`, as tfjs calls them. A model that ends in softmax gives
 * probabilities, and its output says so.
 */
export function importTfjsLayers(json: string, { parameters }: TfjsImportOptions = {}): Graph {
  const topology = readTopology(json);
  const found = build(topology, []);
  // Parameters become known while the layers are read, but inputs are listed in a snapshot's order.
  return parameters === undefined ? found : build(topology, inOrder(found, parameters));
}

/** Trained tensors: as the layers call them, and as the graph shall call them. */
type Declared = readonly { readonly tensor: string; readonly name: string; readonly shape: readonly number[] }[];

function build(topology: Topology, declared: Declared): Graph {
  const builder = new GraphBuilder({ maxValues: limits.values });
  const parameters = new Map<string, Value>();
  const declare = (tensor: string, name: string, shape: readonly number[]): Value => {
    const value = builder.input({ name, role: 'parameter', dtype: 'float32', shape });
    parameters.set(tensor, value);
    return value;
  };
  for (const { tensor, name, shape } of declared) declare(tensor, name, shape);
  const parameter = (name: string, shape: readonly number[]): Value => parameters.get(name) ?? declare(name, name, shape);
  const prediction = new LayerWalk(topology, builder, parameter).valueAt(topology.output);
  const output = { name: 'prediction', value: prediction };
  const graph = builder.build([madeBy(prediction, 'softmax') ? { ...output, meaning: 'probabilities' } : output]);
  const roles = ['parameter', 'data'];
  return { ...graph, inputs: graph.inputs.toSorted((a, b) => roles.indexOf(a.role) - roles.indexOf(b.role)) };
}

function inOrder(graph: Graph, names: readonly string[]): Declared {
  const tensors = parametersOf(graph);
  const all = tensors.map(({ name }) => name).join(', ');
  const declared = names.map((name, i) => {
    const input = tensors.find((each) => each.name === name) ?? tensors.find((each) => each.name === name.replace(/_\d+$/, ''));
    if (input !== undefined) return { tensor: input.name, name, shape: input.shape as readonly number[] };
    const detail = { field: `parameters[${i}]`, value: name, expected: `one of ${all}` };
    throw new UnsupportedModel(`The model has no parameter '${name}'`, detail);
  });
  const missing = tensors.find(({ name }) => declared.filter(({ tensor }) => tensor === name).length !== 1);
  if (missing === undefined) return declared;
  throw new UnsupportedModel(`The model's tensor '${missing.name}' is not once among the parameters`, {
    field: 'parameters',
    value: missing.name,
    expected: `each of ${all} once`,
  });
}

/** Computes the value at a place from those before it. */
class LayerWalk {
  readonly #layers: ReadonlyMap<string, LayerJson>;
  readonly #builder: GraphBuilder;
  readonly #parameter: (name: string, shape: readonly number[]) => Value;
  readonly #known = new Map<string, Value>();

  constructor(topology: Topology, builder: GraphBuilder, parameter: (name: string, shape: readonly number[]) => Value) {
    this.#layers = new Map(topology.layers.map((layer) => [layer.name, layer]));
    this.#builder = builder;
    this.#parameter = parameter;
    const data = builder.input({ name: 'x', role: 'data', dtype: dataType(topology), shape: dataShape(topology.inputShape) });
    this.#known.set(keyOf([topology.input, 0]), data);
  }

  /** The depth of a model is not a depth of calls. */
  valueAt(wanted: Place): Value {
    const open: Place[] = [wanted];
    const opened = new Set<string>();
    for (let place = open.at(-1); place !== undefined; place = open.at(-1)) {
      const [key, [name]] = [keyOf(place), place];
      const missing = this.#known.has(key) ? [] : this.#before(place).filter((each) => !this.#known.has(keyOf(each)));
      if (missing.length === 0) {
        if (!this.#known.has(key)) this.#known.set(key, this.#read(place));
        open.pop();
      } else if (opened.has(key)) {
        throw new UnsupportedModel(`Layer '${name}' depends on itself`, { field: `layer ${name}`, expected: 'no cycle' });
      } else {
        opened.add(key);
        for (const each of missing.toReversed()) open.push(each);
      }
    }
    return this.#valueOf(wanted);
  }

  #valueOf(place: Place): Value {
    const value = this.#known.get(keyOf(place));
    if (value === undefined) throw new Error(`Layer '${place[0]}' has not been read`);
    return value;
  }

  /** Where the inputs of a layer come from. */
  #before([name, use]: Place): readonly Place[] {
    const places = this.#layers.get(name)?.uses[use];
    if (places !== undefined) return places;
    throw new UnsupportedModel(`The tfjs model has no use ${use} of a layer '${name}'`, {
      field: `layer ${name}`,
      expected: 'a layer of the model',
    });
  }

  #read(place: Place): Value {
    const [name] = place;
    const layer = this.#layers.get(name);
    if (layer === undefined) throw new Error(`There is no layer '${name}'`);
    const inputs = this.#before(place).map((each) => this.#valueOf(each));
    const parameter = (part: string, shape: readonly number[]): Value => this.#parameter(`${name}/${part}`, shape);
    try {
      return readLayer({ builder: this.#builder, layer, inputs, parameter });
    } catch (error) {
      throw atLayer(layer, error);
    }
  }
}

const keyOf = ([name, use]: Place): string => `${name}:${use}`;

/** Token ids are whole numbers, whatever tfjs stores them as. */
const dataType = ({ layers, input }: Topology): 'int64' | 'float32' =>
  layers.some(({ className, uses }) => className === 'Embedding' && uses.flat().some(([name]) => name === input))
    ? 'int64'
    : 'float32';

/** A rule of shapes does not know where it was used. */
function atLayer({ name, className }: LayerJson, error: unknown): unknown {
  if (!(error instanceof UnsupportedModel) || error.field !== undefined) return error;
  const detail = error.expected === undefined ? {} : { expected: error.expected };
  return new UnsupportedModel(`Layer '${name}' (${className}): ${error.message}`, { field: `layer ${name}`, ...detail }, error);
}

function dataShape(dims: readonly (number | null)[]): Dim[] {
  const [batch, ...rest] = dims;
  if (batch === null && !rest.includes(null)) return ['batch', ...rest.flatMap((dim) => (dim === null ? [] : [dim]))];
  throw new UnsupportedModel(`The tfjs model takes data of shape [${dims.join(', ')}]`, {
    field: 'batch_input_shape',
    value: JSON.stringify(dims),
    expected: '[null, …] with fixed axes after the first',
  });
}
