import { readFileSync } from 'node:fs';
import { packageRoot } from '#runtime/package-root.js';

const versionOf = (folder: string): string =>
  (JSON.parse(readFileSync(`${packageRoot}/${folder}/package.json`, 'utf8')) as { version: string }).version;

export const version: string = versionOf('.');

/** Of the native parts, which are the ones that differ from machine to machine. */
export function packageVersions(): Readonly<Record<string, string>> {
  const names = ['onnxruntime-node', 'chdb', 'lmdb', '@grpc/grpc-js'];
  return Object.fromEntries(names.map((name) => [name, versionOf(`node_modules/${name}`)]));
}
