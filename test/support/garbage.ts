import { once } from 'node:events';
import { connect } from 'node:net';
import { createRandom } from '#math/random.js';

const random = createRandom(5);
const noise = (bytes: number): Buffer => Buffer.from(Uint8Array.from({ length: bytes }, () => random.integer(256)));
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
/** SETTINGS, empty. */
const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
/** HEADERS of stream 1 with a block that HPACK cannot read. */
const badHeaders = Buffer.from([0, 0, 4, 1, 4, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]);
/** DATA for a stream that nobody opened, and a frame that says that it is 16 MB long. */
const badFrames = Buffer.from([0, 0, 1, 0, 0, 0, 0, 0, 9, 1, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1]);

/** What should not come, on any port. */
export const garbage: readonly (readonly [what: string, bytes: Buffer])[] = [
  ['nothing', Buffer.alloc(0)],
  ['noise', noise(4000)],
  ['much noise', noise(300_000)],
  ['half a request', Buffer.from('POST /api/sql HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 100000\r\n\r\n{"sql"')],
  ['a body that is no JSON', request('POST', '/api/sql', noise(500))],
  ['a body that is JSON and nothing else', request('POST', '/api/sql', Buffer.from('[[[[null]]]]'))],
  ['a path that climbs', request('GET', '/../../../../etc/passwd')],
  ['a path that climbs in disguise', request('GET', '/assets/..%2f..%2f..%2fetc%2fpasswd')],
  ['a run that climbs', request('DELETE', '/api/runs/..%2f..%2f')],
  ['an endless header', Buffer.from(`GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nx: ${'y'.repeat(200_000)}\r\n\r\n`)],
  ['two lengths', Buffer.from('POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello')],
  ['a greeting and noise', Buffer.concat([preface, noise(2000)])],
  ['headers that cannot be read', Buffer.concat([preface, settings, badHeaders])],
  ['frames for nobody', Buffer.concat([preface, settings, badFrames])],
  ['a handshake of TLS', Buffer.from('16030100c8010000c40303', 'hex')],
];

function request(method: string, path: string, body: Buffer = Buffer.alloc(0)): Buffer {
  const head = `${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

/** Throws it at a port; answers what came back before it was enough, or the other side, or our patience at its end. */
export async function throwAt(port: number, bytes: Buffer, patienceMs: number, enough?: RegExp): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  let answer = '';
  socket.on('data', (chunk: Buffer) => {
    answer += chunk.toString('latin1');
    if (enough?.test(answer) === true) socket.destroy();
  });
  const patience = setTimeout(() => socket.destroy(), patienceMs);
  socket.write(bytes);
  await once(socket, 'close').catch(() => undefined);
  clearTimeout(patience);
  return answer;
}
