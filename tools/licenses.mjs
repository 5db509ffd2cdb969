#!/usr/bin/env node
// Licences of everything that is delivered: `npm run licenses` writes docs/licences.md, and with --check it compares only.
// Fails for a package whose licence is unknown or is not one of those below.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const page = join(root, 'docs/licences.md');
const accepted = new Set(['MIT', 'Apache-2.0', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', '(MIT OR CC0-1.0)']);

/** Old packages list theirs; those of another platform are not installed here. */
function licenceOf(path, entry) {
  if (entry.license !== undefined) return entry.license;
  const manifest = join(root, path, 'package.json');
  if (!existsSync(manifest)) return undefined;
  const { license, licenses } = JSON.parse(readFileSync(manifest, 'utf8'));
  return license ?? licenses?.map(({ type }) => type).join(' OR ');
}

const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
/** The page carries these in its bundle, so that they are needed for building only. */
const bundled = new Set(['uplot', 'socket.io-client']);
for (const name of bundled)
  for (const needed of Object.keys(packages[`node_modules/${name}`]?.dependencies ?? {})) bundled.add(needed);
const isDelivered = (path, entry) =>
  (!entry.dev && !entry.devOptional && !entry.peer) || bundled.has(path.replace('node_modules/', ''));
const delivered = Object.entries(packages)
  .filter(([path, entry]) => path !== '' && isDelivered(path, entry))
  .map(([path, entry]) => ({
    name: path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length),
    version: entry.version,
    platform: entry.os === undefined ? '' : `${entry.os.join(', ')} ${(entry.cpu ?? []).join(', ')}`.trim(),
    licence: licenceOf(path, entry),
  }));
/** The builds of one package for several platforms have one licence, which the build for this platform tells. */
const familyOf = (name) => name.replace(/-(darwin|linux|win32)-.*$/, '');
const ofFamily = new Map(
  delivered.filter(({ licence }) => licence !== undefined).map(({ name, licence }) => [familyOf(name), licence]),
);
const rows = delivered
  .map((row) => ({ ...row, licence: row.licence ?? (row.platform === '' ? undefined : ofFamily.get(familyOf(row.name))) }))
  .sort((a, b) => (a.name === b.name ? (a.version < b.version ? -1 : 1) : a.name < b.name ? -1 : 1));

const refused = rows.filter(({ licence }) => licence === undefined || !accepted.has(licence));
for (const { name, version, licence } of refused) console.error(`${name} ${version}: ${licence ?? 'no licence is known'}`);
if (refused.length > 0) process.exit(1);

const unique = [...new Map(rows.map((row) => [`${row.name} ${row.version}`, row])).values()];
const text = `# Licences of what is delivered

Made by \`npm run licenses\` from the lock file; \`npm run check\` fails when it differs, and for a licence that is not one
of ${[...accepted].join(', ')}. Stagewatch itself is Apache-2.0.

| package | version | licence | only on |
|---|---|---|---|
${unique.map(({ name, version, licence, platform }) => `| ${name} | ${version} | ${licence} | ${platform} |`).join('\n')}
`;
if (!process.argv.includes('--check')) {
  writeFileSync(page, text);
  console.log(
    `${unique.length} packages, all under ${new Set(unique.map(({ licence }) => licence)).size} accepted licences: docs/licences.md`,
  );
} else if (!existsSync(page) || readFileSync(page, 'utf8') !== text) {
  console.error('docs/licences.md is not what the lock file says: run `npm run licenses`');
  process.exit(1);
}
