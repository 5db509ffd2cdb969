/** Writes `libs/wire/generated/messages.ts`: one interface a message of `proto/stagewatch/v1`. Run by `npm run generate`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Enum, MapField, Type, type Field } from 'protobufjs';
import { protoDir, protoRoot } from './proto-root.js';

const whole = new Set(['uint64', 'int64', 'uint32', 'int32', 'fixed32', 'double', 'float']);

function scalar(type: string): string {
  if (whole.has(type)) return 'number';
  if (type === 'string') return 'string';
  if (type === 'bool') return 'boolean';
  if (type === 'bytes') return 'Buffer';
  throw new Error(`no TypeScript type is known for ${type}`);
}

const typeOf = (field: Field): string => field.resolvedType?.name ?? scalar(field.type);

function member(field: Field): string {
  if (field instanceof MapField) return `${field.name}: { [key: string]: ${typeOf(field)} };`;
  if (field.repeated) return `${field.name}: ${typeOf(field)}[];`;
  if (field.partOf) return `${field.name}?: ${typeOf(field)};`;
  return `${field.name}: ${typeOf(field)}${field.resolvedType instanceof Type ? ' | null' : ''};`;
}

export function generateTypes(): string {
  const namespace = protoRoot().lookup('stagewatch.v1');
  if (namespace === null || !('nestedArray' in namespace)) throw new Error('stagewatch.v1 is missing');
  const things = (namespace as { nestedArray: readonly unknown[] }).nestedArray;
  const lines = [
    '// Generated from proto/stagewatch/v1 by libs/wire/generate-types.ts (npm run generate). Do not edit.',
    '// Every field is present after decoding; a message that was not sent is null, and of a oneof at most one is there,',
    '// whose name stands in the field that is called as the oneof.',
    '',
  ];
  const messages: string[] = [];
  for (const thing of things) {
    if (thing instanceof Enum) {
      lines.push(`export type ${thing.name} =`);
      for (const name of Object.keys(thing.values)) lines.push(`  | '${name}'`);
      lines.push('  ;', '');
    } else if (thing instanceof Type) {
      messages.push(thing.name);
      lines.push(`export interface ${thing.name} {`);
      for (const field of thing.fieldsArray) lines.push(`  ${member(field)}`);
      for (const oneof of thing.oneofsArray) {
        if (oneof.name.startsWith('_')) continue;
        lines.push(`  ${oneof.name}?: ${oneof.fieldsArray.map((f) => `'${f.name}'`).join(' | ')};`);
      }
      lines.push('}', '');
    }
  }
  lines.push('/** Every message by its name. */', 'export interface Messages {');
  for (const name of messages) lines.push(`  ${name}: ${name};`);
  lines.push('}', '');
  return lines.join('\n');
}

if (process.argv[1]?.endsWith('generate-types.js') === true) {
  const target = join(dirname(protoDir()), 'libs/wire/generated/messages.ts');
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, generateTypes());
}
