/** GraphModel files for tests, as tfjs's converter writes them. */
export interface NodeJson {
  readonly name: string;
  readonly op: string;
  readonly input: readonly string[];
  readonly attr: Readonly<Record<string, unknown>>;
}
export interface WeightJson {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'int32' | 'bool';
  readonly data: readonly number[];
}
export interface ModelJson {
  readonly format: string;
  readonly modelTopology: { readonly node: readonly NodeJson[]; readonly versions?: object };
  readonly weightsManifest: readonly {
    readonly paths: readonly string[];
    readonly weights: readonly { readonly name: string; readonly shape: readonly number[]; readonly dtype: string }[];
  }[];
  readonly signature?: object;
}

export const text = (value: string) => ({ s: btoa(value) });
export const texts = (...values: readonly string[]) => ({ list: { s: values.map((value) => btoa(value)) } });
export const ints = (...values: readonly number[]) => ({ list: { i: values.map(String) } });
export const int = (value: number) => ({ i: String(value) });
export const float = (value: number) => ({ f: value });
export const flag = (value: boolean) => ({ b: value });
export const type = (value: string) => ({ type: value });

const bytesOf = (dtype: WeightJson['dtype'], data: readonly number[]): Uint8Array => {
  if (dtype === 'bool') return Uint8Array.from(data);
  return new Uint8Array((dtype === 'float32' ? Float32Array.from(data) : Int32Array.from(data)).buffer);
};

/** A file under construction: its functions add nodes and give their names. */
export class GraphFile {
  readonly nodes: NodeJson[] = [];
  readonly weights: WeightJson[] = [];

  placeholder(name: string, shape: readonly number[], dtype = 'DT_FLOAT'): string {
    const dim = shape.map((size) => ({ size: String(size) }));
    return this.node('Placeholder', [], { dtype: type(dtype), shape: { shape: { dim } } }, name);
  }

  weight(
    name: string,
    shape: readonly number[],
    data: readonly number[] = Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(3.1 * i + name.length)),
    dtype: WeightJson['dtype'] = 'float32',
  ): string {
    this.weights.push({ name, shape, data, dtype });
    return this.node(
      'Const',
      [],
      { dtype: type(dtype === 'float32' ? 'DT_FLOAT' : dtype === 'int32' ? 'DT_INT32' : 'DT_BOOL') },
      name,
    );
  }

  wholes(...data: readonly number[]): string {
    return this.weight(`wholes${this.nodes.length}`, [data.length], data, 'int32');
  }

  whole(value: number): string {
    return this.weight(`whole${this.nodes.length}`, [], [value], 'int32');
  }

  number(value: number): string {
    return this.weight(`number${this.nodes.length}`, [], [value]);
  }

  node(
    op: string,
    input: readonly string[],
    attr: Readonly<Record<string, unknown>> = {},
    name = `${op}${this.nodes.length}`,
  ): string {
    this.nodes.push({ name, op, input, attr });
    return name;
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.weights.flatMap(({ dtype, data }) => [...bytesOf(dtype, data)]));
  }

  /** The model.json; its weights lie in `weights.bin`. */
  json(): ModelJson {
    const weights = this.weights.map(({ name, shape, dtype }) => ({ name, shape, dtype }));
    return {
      format: 'graph-model',
      modelTopology: { node: this.nodes, versions: {} },
      weightsManifest: [{ paths: ['weights.bin'], weights }],
    };
  }
}
