import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What must not be touched: a file that nobody reads, a port that nobody calls, a folder in which nothing appears. */
export interface Canaries {
  readonly secretPath: string;
  readonly folder: string;
  readonly port: number;
  /** What was touched, in words; empty as long as all is well. */
  touched(): readonly string[];
  /** Whether a text gives the file's content away, as it is or in the encodings that SQL has at hand. */
  isSecretIn(text: string): boolean;
  close(): void;
}

const secret = 'canary7e1f0c55sings';

export async function setOutCanaries(): Promise<Canaries> {
  const root = mkdtempSync(join(tmpdir(), 'stagewatch-canaries-'));
  const folder = mkdtempSync(join(root, 'folder-'));
  const secretPath = join(root, 'secret.txt');
  writeFileSync(secretPath, `${secret}\n`);
  let calls = 0;
  const server = createServer((socket) => {
    calls++;
    socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const forms = formsOf(secret);
  return {
    secretPath,
    folder,
    port: (server.address() as AddressInfo).port,
    touched: () => [
      ...(calls > 0 ? [`${calls} connections`] : []),
      ...readdirSync(folder).map((name) => `${name} in the folder`),
      ...readdirSync(root)
        .filter((name) => name !== 'secret.txt' && !folder.endsWith(name))
        .map((name) => `${name} beside the secret`),
      ...(readFileSync(secretPath, 'utf8') === `${secret}\n` ? [] : ['the secret itself']),
    ],
    isSecretIn: (text) => forms.some((form) => text.includes(form)),
    close: () => {
      server.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

function formsOf(text: string): readonly string[] {
  const hex = Buffer.from(text).toString('hex');
  return [
    text,
    text.toUpperCase(),
    hex,
    hex.toUpperCase(),
    // Base64 of the beginning, which does not depend on what follows.
    Buffer.from(text.slice(0, 18)).toString('base64'),
    Array.from(text).reverse().join(''),
  ];
}
