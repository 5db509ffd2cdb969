import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Root, types, Type, type NamespaceBase } from 'protobufjs';

/** The proto files, relative to {@link protoDir}. */
export const protoFiles = ['record', 'model', 'ingest', 'envelope'].map((name) => `stagewatch/v1/${name}.proto`);

/** `proto/` of this installation, whether this file runs from its source or from `dist/`. */
export function protoDir(): string {
  for (let dir = dirname(fileURLToPath(import.meta.url)); ; dir = dirname(dir)) {
    const manifest = join(dir, 'package.json');
    if (existsSync(manifest) && existsSync(join(dir, 'proto'))) {
      const { name } = JSON.parse(readFileSync(manifest, 'utf8')) as { name?: string };
      if (name === 'stagewatch') return join(dir, 'proto');
    }
    if (dir === dirname(dir)) throw new Error('the folder proto/ is missing from this installation of stagewatch');
  }
}

let loaded: Root | undefined;

/** The reflection root of `stagewatch.v1`, read once. */
export function protoRoot(): Root {
  if (loaded !== undefined) return loaded;
  const dir = protoDir();
  const root = new Root();
  root.resolvePath = (_origin, target) => join(dir, target);
  root.loadSync(protoFiles, { keepCase: false });
  root.resolveAll();
  plainDefaults(root.lookup('stagewatch.v1') as NamespaceBase);
  loaded = root;
  return root;
}

export function messageType(name: string): Type {
  return protoRoot().lookupType(`stagewatch.v1.${name}`);
}

/** A 64-bit field that was not sent reads as 0, not as an object. */
function plainDefaults(namespace: NamespaceBase): void {
  for (const thing of namespace.nestedArray) {
    if (!(thing instanceof Type)) continue;
    const prototype = thing.ctor.prototype as unknown as { [name: string]: unknown };
    for (const field of thing.fieldsArray) {
      if (Object.hasOwn(types.long, field.type) && !field.repeated) prototype[field.name] = 0;
    }
  }
}
