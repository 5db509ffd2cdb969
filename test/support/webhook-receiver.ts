import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Scene } from './scene.js';

export interface Delivery {
  readonly id: string;
  /** By the rules of Standard Webhooks, computed here anew. */
  readonly signed: boolean;
  readonly body: {
    readonly version: string;
    readonly alerts: readonly { readonly labels: Readonly<Record<string, string>> }[];
  };
}

/** Somebody's server that is told about findings. */
export async function startReceiver(
  scene: Scene,
  secret: string,
): Promise<{ readonly url: string; readonly deliveries: Delivery[] }> {
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
  const deliveries: Delivery[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      const id = String(request.headers['webhook-id']);
      const expected = createHmac('sha256', key).update(`${id}.${request.headers['webhook-timestamp'] as string}.${text}`);
      const signed = request.headers['webhook-signature'] === `v1,${expected.digest('base64')}`;
      deliveries.push({ id, signed, body: JSON.parse(text) as Delivery['body'] });
      response.writeHead(204).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  scene.atEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, deliveries };
}
