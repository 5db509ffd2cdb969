/**
 * The C interface of ONNX Runtime. Its binding for Node answers every result as a copy in fresh memory; through this one ONNX
 * Runtime writes into arrays of ours, which saves a small network's product 7 % of its time.
 */
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type koffi from 'koffi';
import { nativeCalls } from '#runtime/native-calls.js';

const require = createRequire(import.meta.url);

/** An object of the library, or 0. */
export type Handle = number | bigint;

/** Numbers that native code reads or writes while it is called. */
type Memory = NodeJS.TypedArray;

/** `OrtApi` is a table of functions that only ever grows at its end; these are all of its fifth version. */
const tableLength = 150;
const tableVersion = 5;

const loggedFrom = { error: 3 };
const optimizations = { all: 99 };
const allocators = { arena: 1 };
const memoryTypes = { default: 0 };
/**
 * Its threads wait for more work in a loop that takes all of their time. Within a run that is what makes it fast; after the
 * run they would take it from the next session, and from the training that is watched.
 */
const settings = { 'session.force_spinning_stop': '1' };
/** RTLD_NOW, the same on Linux and macOS. */
const bindNow = 2;

export interface OrtLibrary {
  /**
   * Throws an Error when it refuses the model. One that keeps its memory is faster from its second run on, and holds as much as
   * its largest run took until it is released.
   */
  createSession(model: Uint8Array, threads: number | undefined, keepsMemory?: boolean): Handle;
  inputNames(session: Handle): readonly string[];
  /** Names as C strings, one after the other. */
  names(names: readonly string[]): NameList;
  /** Of `data`, which must stay where it is as long as the value is used. */
  createValue(data: Memory, shape: BigInt64Array, elementType: number): bigint;
  /** Writes the results into the values of the outputs. */
  run(session: Handle, inputs: Named, outputs: Named): void;
  releaseValue(value: Handle): void;
  releaseSession(session: Handle): void;
}

/** Addresses of names and, in the same order, handles of values. */
export interface Named {
  readonly names: NameList;
  readonly values: BigUint64Array;
}

/** Names where native code can read them. */
export interface NameList {
  readonly bytes: Uint8Array;
  readonly addresses: BigUint64Array;
}

let opened: OrtLibrary | undefined;

/** Once a thread. Throws an Error when it, or the way to call it, is not there. */
export function openOrtLibrary(): OrtLibrary {
  opened ??= bind(nativeCalls());
  return opened;
}

function libraryPath(): string {
  const folder = join(dirname(require.resolve('onnxruntime-node/package.json')), 'bin/napi-v6', process.platform, process.arch);
  const name = readdirSync(folder).find((file) => /^(lib)?onnxruntime(\.so\.\d+|(\.\d+)*\.dylib|\.dll)$/.test(file));
  if (name === undefined) throw new Error(`There is no ONNX Runtime in ${folder}`);
  return join(folder, name);
}

/** koffi unloads a library when nobody holds it any more, and when its thread ends; other threads may be computing with it. */
function keepLoaded(ffi: typeof koffi, path: string): void {
  if (process.platform === 'win32') ffi.load('kernel32.dll').func('LoadLibraryW', 'uintptr_t', ['const char16_t *'])(path);
  else ffi.load(null).func('dlopen', 'uintptr_t', ['const char *', 'int'])(path, bindNow);
}

function bind(ffi: typeof koffi): OrtLibrary {
  const path = libraryPath();
  const library = ffi.load(path);
  keepLoaded(ffi, path);
  const address = ffi.type('uintptr_t');
  const base = library.func('OrtGetApiBase', address, [])() as Handle;
  const pointers = (at: Handle, count: number): readonly Handle[] =>
    Array.from(ffi.decode(at, ffi.array(address, count, 'Array')) as readonly Handle[]);
  const call = <Result>(place: Handle, result: string, parameters: readonly string[]) => {
    const type = ffi.proto(result, [...parameters]);
    return (...given: readonly (Memory | Handle | string)[]): Result => ffi.call(place, type, ...given) as Result;
  };
  const api = call<Handle>(pointers(base, 1)[0]!, 'uintptr_t', ['uint32_t'])(tableVersion);
  const table = pointers(api, tableLength);

  const releaseStatus = call<void>(table[93]!, 'void', ['uintptr_t']);
  const messageOf = call<string>(table[2]!, 'const char *', ['uintptr_t']);
  /** A function that answers a status; throws its message where that is an error. */
  const checked = (index: number, ...parameters: readonly string[]) => {
    const called = call<Handle>(table[index]!, 'uintptr_t', parameters);
    return (...given: readonly (Memory | Handle | string)[]): void => {
      const status = called(...given);
      if (!status) return;
      const message = messageOf(status);
      releaseStatus(status);
      throw new Error(message);
    };
  };
  const releasing = (index: number) => call<void>(table[index]!, 'void', ['uintptr_t']);

  const createEnv = checked(3, 'int', 'const char *', 'void *');
  const createSession = checked(8, 'uintptr_t', 'void *', 'size_t', 'uintptr_t', 'void *');
  const run = checked(9, 'uintptr_t', 'uintptr_t', 'void *', 'void *', 'size_t', 'void *', 'size_t', 'void *');
  const createOptions = checked(10, 'void *');
  const disableArena = checked(19, 'uintptr_t');
  const setOptimization = checked(23, 'uintptr_t', 'int');
  const setThreads = checked(24, 'uintptr_t', 'int');
  const inputCount = checked(30, 'uintptr_t', 'void *');
  const inputName = checked(36, 'uintptr_t', 'size_t', 'uintptr_t', 'void *');
  const createValue = checked(49, 'uintptr_t', 'void *', 'size_t', 'void *', 'size_t', 'int', 'void *');
  const setEntry = checked(130, 'uintptr_t', 'const char *', 'const char *');
  const createMemoryInfo = checked(69, 'int', 'int', 'void *');
  const freeWith = checked(76, 'uintptr_t', 'uintptr_t');
  const defaultAllocator = checked(78, 'void *');
  const [releaseSession, releaseValue, releaseOptions] = [95, 96, 100].map(releasing);

  /** What a function writes to the place that it is given. */
  const written = (write: (place: BigUint64Array) => void): bigint => {
    const place = new BigUint64Array(1);
    write(place);
    return place[0]!;
  };
  // These three live as long as the process: the library shares its environment among all who ask for one.
  const environment = written((place) => createEnv(loggedFrom.error, 'stagewatch', place));
  const memory = written((place) => createMemoryInfo(allocators.arena, memoryTypes.default, place));
  const allocator = written((place) => defaultAllocator(place));

  return {
    createSession: (model, threads, keepsMemory = true) => {
      const options = written((place) => createOptions(place));
      try {
        setOptimization(options, optimizations.all);
        for (const [key, value] of Object.entries(settings)) setEntry(options, key, value);
        if (threads !== undefined) setThreads(options, threads);
        if (!keepsMemory) disableArena(options);
        return written((place) => createSession(environment, model, model.byteLength, options, place));
      } finally {
        releaseOptions!(options);
      }
    },
    inputNames: (session) =>
      Array.from({ length: Number(written((place) => inputCount(session, place))) }, (_, i) => {
        const text = written((place) => inputName(session, i, allocator, place));
        const name = ffi.decode.string(text);
        freeWith(allocator, text);
        return name;
      }),
    names: (names) => {
      const texts = names.map((name) => Buffer.from(`${name}\0`));
      const bytes = new Uint8Array(new ArrayBuffer(texts.reduce((sum, { length }) => sum + length, 1)));
      const start = ffi.address(bytes);
      let offset = 0;
      const addresses = texts.map((text) => {
        const place = start + BigInt(offset);
        bytes.set(text, offset);
        offset += text.length;
        return place;
      });
      return { bytes, addresses: BigUint64Array.from(addresses) };
    },
    createValue: ({ buffer, byteOffset, byteLength }, shape, type) => {
      // Whoever looks at its buffer makes V8 move a small array to where the garbage collector leaves it alone.
      const bytes = new Uint8Array(buffer, byteOffset, byteLength);
      return written((place) => createValue(memory, bytes, byteLength, shape, shape.length, type, place));
    },
    run: (session, inputs, outputs) => {
      const [given, made] = [inputs.values, outputs.values];
      run(session, 0, inputs.names.addresses, given, given.length, outputs.names.addresses, made.length, made);
    },
    releaseValue: (value) => releaseValue!(value),
    releaseSession: (session) => releaseSession!(session),
  };
}
