/** The part of the ONNX file format that this room reads and writes (onnx.proto, IR version 8), field numbers as published. */
import protobuf from 'protobufjs';
import { UnsupportedModel } from '../errors.js';
import { checkStructure } from './structure.js';

const field = (type: string, id: number): { type: string; id: number } => ({ type, id });
const repeated = (type: string, id: number): { rule: 'repeated'; type: string; id: number } => ({ rule: 'repeated', type, id });

const schema = protobuf.Root.fromJSON({
  nested: {
    ModelProto: {
      fields: {
        irVersion: field('int64', 1),
        producerName: field('string', 2),
        graph: field('GraphProto', 7),
        opsetImport: repeated('OperatorSetIdProto', 8),
        functions: repeated('FunctionProto', 25),
      },
    },
    FunctionProto: {
      fields: {
        name: field('string', 1),
        input: repeated('string', 4),
        output: repeated('string', 5),
        node: repeated('NodeProto', 7),
        opsetImport: repeated('OperatorSetIdProto', 9),
        domain: field('string', 10),
        attributeProto: repeated('AttributeProto', 11),
        overload: field('string', 13),
      },
    },
    OperatorSetIdProto: { fields: { domain: field('string', 1), version: field('int64', 2) } },
    GraphProto: {
      fields: {
        node: repeated('NodeProto', 1),
        name: field('string', 2),
        initializer: repeated('TensorProto', 5),
        input: repeated('ValueInfoProto', 11),
        output: repeated('ValueInfoProto', 12),
        valueInfo: repeated('ValueInfoProto', 13),
      },
    },
    NodeProto: {
      fields: {
        input: repeated('string', 1),
        output: repeated('string', 2),
        name: field('string', 3),
        opType: field('string', 4),
        attribute: repeated('AttributeProto', 5),
        domain: field('string', 7),
        overload: field('string', 8),
      },
    },
    AttributeProto: {
      fields: {
        name: field('string', 1),
        f: field('float', 2),
        i: field('int64', 3),
        s: field('bytes', 4),
        t: field('TensorProto', 5),
        g: field('GraphProto', 6),
        floats: repeated('float', 7),
        ints: repeated('int64', 8),
        strings: repeated('bytes', 9),
        type: field('int32', 20),
        refAttrName: field('string', 21),
      },
    },
    TensorProto: {
      fields: {
        dims: repeated('int64', 1),
        dataType: field('int32', 2),
        floatData: repeated('float', 4),
        int32Data: repeated('int32', 5),
        int64Data: repeated('int64', 7),
        name: field('string', 8),
        rawData: field('bytes', 9),
        doubleData: repeated('double', 10),
        externalData: repeated('StringEntry', 13),
        dataLocation: field('int32', 14),
      },
    },
    StringEntry: { fields: { key: field('string', 1), value: field('string', 2) } },
    ValueInfoProto: { fields: { name: field('string', 1), type: field('TypeProto', 2) } },
    TypeProto: { fields: { tensorType: field('TensorType', 1) } },
    TensorType: { fields: { elemType: field('int32', 1), shape: field('TensorShapeProto', 2) } },
    TensorShapeProto: { fields: { dim: repeated('Dimension', 1) } },
    Dimension: { fields: { dimValue: field('int64', 1), dimParam: field('string', 2) } },
  },
});
const modelType = schema.lookupType('ModelProto');

/** TensorProto.DataType */
export const elementType = {
  float: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  double: 11,
  uint32: 12,
  bfloat16: 16,
} as const;
/** AttributeProto.AttributeType */
export const attributeType = { float: 1, int: 2, string: 3, ints: 7 } as const;

export interface OnnxTensor {
  readonly name?: string;
  readonly dims: readonly number[];
  readonly dataType?: number;
  readonly floatData: readonly number[];
  readonly int32Data: readonly number[];
  readonly int64Data: readonly number[];
  readonly doubleData: readonly number[];
  readonly rawData?: Uint8Array;
  readonly dataLocation?: number;
  readonly externalData?: readonly { readonly key?: string; readonly value?: string }[];
}

export interface OnnxAttributeProto {
  readonly name?: string;
  readonly f?: number;
  readonly i?: number;
  readonly s?: Uint8Array;
  readonly t?: OnnxTensor;
  /** A branch of an If, the body of a loop. */
  readonly g?: OnnxGraph;
  readonly floats: readonly number[];
  readonly ints: readonly number[];
  readonly strings: readonly Uint8Array[];
  /** Inside a function: the attribute of the caller that stands here. */
  readonly refAttrName?: string;
}

export interface OnnxNodeProto {
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly name?: string;
  readonly opType?: string;
  readonly attribute: readonly OnnxAttributeProto[];
  readonly domain?: string;
  readonly overload?: string;
}

/** A part of a network that the file defines once and uses as an operator. */
export interface OnnxFunction {
  readonly name?: string;
  readonly domain?: string;
  readonly overload?: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly node: readonly OnnxNodeProto[];
  readonly opsetImport: readonly OnnxOpset[];
  /** Attributes with their defaults. */
  readonly attributeProto: readonly OnnxAttributeProto[];
}

export interface OnnxOpset {
  readonly domain?: string;
  readonly version?: number;
}

export interface OnnxGraph {
  readonly node: readonly OnnxNodeProto[];
  readonly initializer: readonly OnnxTensor[];
  readonly input: readonly OnnxValueInfo[];
  readonly output: readonly OnnxValueInfo[];
}

export interface OnnxValueInfo {
  readonly name?: string;
  readonly type?: {
    readonly tensorType?: {
      readonly elemType?: number;
      readonly shape?: { readonly dim: readonly { readonly dimValue?: number; readonly dimParam?: string }[] };
    };
  };
}

export interface OnnxModel {
  readonly opsetImport: readonly OnnxOpset[];
  readonly functions: readonly OnnxFunction[];
  readonly graph?: OnnxGraph;
}

/** Looks at sizes and counts before it makes anything of the bytes. */
export function decodeModel(bytes: Uint8Array): OnnxModel {
  checkStructure(bytes);
  try {
    // The schema makes this shape; absent single fields are absent, absent lists are empty.
    return modelType.toObject(modelType.decode(bytes), { longs: Number, arrays: true }) as OnnxModel;
  } catch (cause) {
    throw new UnsupportedModel('The model graph is not an ONNX file', { field: 'graph', expected: 'an ONNX ModelProto' }, cause);
  }
}

export const encodeModel = (model: Record<string, unknown>): Uint8Array => modelType.encode(modelType.fromObject(model)).finish();
