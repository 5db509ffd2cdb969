/**
 * Walks through the fields of an ONNX file without making anything of them, so that a small file that would become millions of
 * objects is refused before it does. (The wire format of protocol buffers: a key, which is field number and wire type, then a
 * varint, 8 bytes, a length and as many bytes, or 4 bytes.)
 */
import { UnsupportedModel } from '../errors.js';
import { limits } from '../limits.js';

/** What is inside a field that has a length: another message, a name, a packed list, or bytes that are not looked at. */
type Inside = Message | 'name' | 'whole' | 'floats';
interface Message {
  [field: number]: Inside;
}

const entry: Message = { 1: 'name', 2: 'name' };
const tensor: Message = { 1: 'whole', 4: 'floats', 5: 'whole', 7: 'whole', 8: 'name', 10: 'floats', 11: 'whole', 13: entry };
const attribute: Message = { 1: 'name', 5: tensor, 7: 'floats', 8: 'whole', 10: tensor, 21: 'name' };
const node: Message = { 1: 'name', 2: 'name', 3: 'name', 4: 'name', 5: attribute, 7: 'name', 8: 'name' };
const opset: Message = { 1: 'name' };
const dimension: Message = { 2: 'name' };
const valueInfo: Message = { 1: 'name', 2: { 1: { 2: { 1: dimension } } } };
const graph: Message = { 1: node, 2: 'name', 5: tensor, 11: valueInfo, 12: valueInfo, 13: valueInfo };
// A branch of an If is a graph inside an attribute.
attribute[6] = graph;
const definition: Message = { 1: 'name', 4: 'name', 5: 'name', 7: node, 9: opset, 10: 'name', 11: attribute, 13: 'name' };
const model: Message = { 2: 'name', 7: graph, 8: opset, 25: definition };

const tooLarge = (what: string, most: number): UnsupportedModel =>
  new UnsupportedModel(`The ONNX file has ${what}: more than ${most}`, { field: 'graph', expected: `at most ${most}` });

const damaged = (): UnsupportedModel =>
  new UnsupportedModel('The model graph is not an ONNX file', { field: 'graph', expected: 'an ONNX ModelProto' });

export function checkStructure(bytes: Uint8Array): void {
  if (bytes.length > limits.fileBytes) throw tooLarge('too many bytes', limits.fileBytes);
  new Walk(bytes).message(model, bytes.length);
}

class Walk {
  readonly #bytes: Uint8Array;
  #at = 0;
  #fields = 0;
  #nodes = 0;
  #listBytes = 0;
  #wholeNumbers = 0;
  #graphs = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The depth of calls is that of the schema, and of graphs inside graphs. */
  message(schema: Message, end: number): void {
    while (this.#at < end) {
      if (++this.#fields > limits.fields) throw tooLarge('too many fields', limits.fields);
      const key = this.#varint();
      const inside = schema[Math.floor(key / 8)];
      const wire = key % 8;
      if (wire === 0) this.#skipNumber(inside);
      else if (wire === 1) this.#at += 8;
      else if (wire === 5) this.#at += 4;
      else if (wire === 2) this.#sized(inside, end);
      else throw damaged();
      if (this.#at > end) throw damaged();
    }
  }

  #sized(inside: Inside | undefined, end: number): void {
    const size = this.#varint();
    const stop = this.#at + size;
    if (stop > end) throw damaged();
    if (typeof inside === 'object') {
      if (inside === node && ++this.#nodes > limits.nodes) throw tooLarge('too many nodes', limits.nodes);
      if (inside === graph && ++this.#graphs > limits.functionDepth) throw tooLarge('graphs inside graphs', limits.functionDepth);
      this.message(inside, stop);
      if (inside === graph) this.#graphs--;
    } else if (inside === 'name' && size > limits.nameBytes) throw tooLarge('a name of too many bytes', limits.nameBytes);
    else if (inside === 'floats') this.#list(size);
    else if (inside === 'whole') this.#countWhole(stop);
    this.#at = stop;
  }

  #list(size: number): void {
    this.#listBytes += size;
    if (this.#listBytes > limits.listBytes) throw tooLarge('too many bytes in lists', limits.listBytes);
  }

  #countWhole(stop: number): void {
    // The last byte of each varint is below 128.
    for (let i = this.#at; i < stop; i++) if ((this.#bytes[i] ?? 0) < 128) this.#wholeNumbers++;
    this.#checkWhole();
  }

  #skipNumber(inside: Inside | undefined): void {
    this.#varint();
    if (inside !== 'whole') return;
    this.#wholeNumbers++;
    this.#checkWhole();
  }

  #checkWhole(): void {
    if (this.#wholeNumbers > limits.wholeNumbers) throw tooLarge('too many whole numbers in lists', limits.wholeNumbers);
  }

  #varint(): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 63; scale *= 128) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw damaged();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw damaged();
  }
}
