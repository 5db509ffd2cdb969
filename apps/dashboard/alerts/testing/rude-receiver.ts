import { createServer, type AddressInfo, type Socket } from 'node:net';

/** What a receiver can do to whoever sends to it. */
export type Rudeness = keyof typeof manners;

const chunk = Buffer.alloc(64 * 1024, 'x');

function drip(socket: Socket, text: string): void {
  let at = 0;
  const timer = setInterval(() => socket.write(text[at++ % text.length]!), 20);
  socket.once('close', () => clearInterval(timer));
}

function pour(socket: Socket): void {
  const more = (): void => {
    while (!socket.destroyed && socket.write(chunk));
  };
  socket.on('drain', more);
  more();
}

const manners = {
  'never answers': () => undefined,
  resets: (socket: Socket) => void socket.resetAndDestroy(),
  'hangs up': (socket: Socket) => void socket.end(),
  'drips its headers': (socket: Socket) => {
    socket.write('HTTP/1.1 200 OK\r\n');
    drip(socket, 'x-more: a\r\n');
  },
  'drips its body': (socket: Socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n');
    drip(socket, 'a');
  },
  'answers 500 MB': (socket: Socket) => {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${500 * 1024 ** 2}\r\n\r\n`);
    pour(socket);
  },
  'says to go on for ever': (socket: Socket) => drip(socket, 'HTTP/1.1 100 Continue\r\n\r\n'),
  'changes the protocol': (socket: Socket) =>
    void socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n'),
  'is no HTTP': (socket: Socket) => void socket.write('220 mail.example ESMTP\r\n'),
  'redirects to itself': (socket: Socket) =>
    void socket.end('HTTP/1.1 307 Temporary Redirect\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n'),
} as const satisfies Record<string, (socket: Socket) => void>;

export const rudenesses = Object.keys(manners) as Rudeness[];

export interface RudeReceiver {
  readonly url: string;
  /** Of those who speak TLS to it: it never answers their greeting. */
  readonly secureUrl: string;
  /** Requests that came. */
  readonly connections: number;
  close(): Promise<void>;
}

/** A real receiver on loopback that behaves badly to everybody. */
export async function startRudeReceiver(rudeness: Rudeness): Promise<RudeReceiver> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
    socket.once('data', () => manners[rudeness](socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    secureUrl: `https://127.0.0.1:${port}/`,
    get connections() {
      return connections;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
