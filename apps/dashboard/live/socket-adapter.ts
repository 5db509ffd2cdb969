import type { IncomingMessage } from 'node:http';
import type { INestApplicationContext } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import type { Access } from '../http/access.js';
import type { Sessions } from '../http/sessions.js';

type Server = ReturnType<IoAdapter['createIOServer']>;
type Options = NonNullable<Parameters<IoAdapter['createIOServer']>[1]>;

/** A page only ever asks to subscribe. */
const maxRequestBytes = 16 * 1024;

/** The same rules for the handshake of a socket as for an HTTP request. */
export class SocketAdapter extends IoAdapter {
  constructor(
    app: INestApplicationContext,
    private readonly access: Access,
    private readonly sessions: Sessions,
  ) {
    super(app);
  }

  /** Who logs out hears no more, in any of the browser's windows. */
  private endWithSession(server: Server): void {
    this.sessions.onEnd((session) => {
      for (const socket of server.sockets.sockets.values()) {
        if (sessionOf(socket) === session) socket.disconnect(true);
      }
    });
    server.use((socket, next) => {
      (socket.data as SocketSession).session = this.sessions.of(socket.request);
      next();
    });
  }

  override createIOServer(port: number, options?: Options): Server {
    const server = super.createIOServer(port, {
      ...options,
      serveClient: false,
      maxHttpBufferSize: maxRequestBytes,
      allowRequest: (request: IncomingMessage, answer: (error: string | null, allowed: boolean) => void) => {
        try {
          this.access.check(request);
          answer(null, true);
        } catch (error) {
          answer(error instanceof Error ? error.message : 'refused', false);
        }
      },
      // Nest asks for a whole set of options and hands on a few.
    } as Options);
    this.endWithSession(server);
    return server;
  }
}

interface SocketSession {
  session?: string | undefined;
}

function sessionOf(socket: { readonly data: unknown }): string | undefined {
  return (socket.data as SocketSession).session;
}
