import { Enum, type Message, type Type } from 'protobufjs';
import type { Messages } from './generated/messages.js';
import { checkParts } from './count-parts.js';
import { messageType } from './proto-root.js';
import { SafeReader } from './safe-reader.js';

/** What may be left out when a message is written: everything that has a default. */
export type Input<T> = T extends Uint8Array
  ? T
  : T extends readonly (infer E)[]
    ? readonly Input<E>[]
    : T extends object
      ? { readonly [K in keyof T]?: Input<T[K]> | undefined }
      : T;

/** Bytes from and to plain objects: integers are numbers, enums their names, bytes Buffers, defaults filled in. */
export interface Codec<T> {
  readonly encode: (message: Input<T>) => Buffer;
  /** Throws {@link MalformedMessage}. Byte fields are views into `bytes`. */
  readonly decode: (bytes: Uint8Array) => T;
}

export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage';
}

// protobufjs takes the constructors String and Number as the names of what it should make.
const plain = { defaults: true, arrays: true, objects: true, oneofs: true, enums: String, longs: Number } as const;
const codecs = new Map<string, Codec<unknown>>();

export type MessageName = keyof Messages;

/** The codec of one message of `stagewatch.v1`. */
export function codec<N extends MessageName>(name: N): Codec<Messages[N]> {
  let known = codecs.get(name);
  if (known === undefined) codecs.set(name, (known = makeCodec(name)));
  return known as Codec<Messages[N]>;
}

function makeCodec(name: string): Codec<unknown> {
  const type = messageType(name);
  const numbered = numberEnums(type);
  return {
    encode: (message) => type.encode(numbered(message as Fields)).finish() as Buffer,
    decode: (bytes) => type.toObject(decodeRaw(type, bytes), plain),
  };
}

/** A message as protobufjs holds it, for hot paths that read it once: unset fields are found on its prototype. */
export function decodeRaw(type: Type, bytes: Uint8Array): Message {
  try {
    checkParts(type, bytes);
    return type.decode(new SafeReader(bytes));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new MalformedMessage(`not a ${type.name}: ${reason}`, { cause: error });
  }
}

type Fields = Record<string, unknown>;

/** Replaces enum names by their numbers, which is all that protobufjs lacks to write a plain object. */
function numberEnums(type: Type, building = new Map<Type, (message: Fields) => Fields>()): (message: Fields) => Fields {
  const known = building.get(type);
  if (known !== undefined) return known;
  building.set(type, (message) => message);
  const changes: ((from: Fields, to: Fields) => void)[] = [];
  for (const field of type.fieldsArray) {
    const { name, resolvedType, repeated } = field;
    if (resolvedType instanceof Enum) {
      changes.push((from, to) => {
        if (typeof from[name] !== 'string') return;
        const value = resolvedType.values[from[name]];
        if (value === undefined) throw new TypeError(`${type.name}.${name}: '${from[name]}' is not a ${resolvedType.name}`);
        to[name] = value;
      });
    } else if (resolvedType !== null && !field.map) {
      const inner = numberEnums(resolvedType, building);
      changes.push((from, to) => {
        const value = from[name];
        if (value === undefined || value === null) return;
        to[name] = repeated ? (value as Fields[]).map(inner) : inner(value as Fields);
      });
    }
  }
  const change =
    !hasEnum(type) || changes.length === 0
      ? (message: Fields): Fields => message
      : (message: Fields): Fields => {
          const copy = { ...message };
          for (const apply of changes) apply(message, copy);
          return copy;
        };
  building.set(type, change);
  return change;
}

function hasEnum(type: Type, seen = new Set<Type>()): boolean {
  if (seen.has(type)) return false;
  seen.add(type);
  return type.fieldsArray.some(
    ({ resolvedType }) => resolvedType instanceof Enum || (resolvedType !== null && hasEnum(resolvedType, seen)),
  );
}
