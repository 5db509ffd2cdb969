import type { IncomingMessage } from 'node:http';
import type { INestApplicationContext } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import type { Access } from '../http/access.js';

type Options = NonNullable<Parameters<IoAdapter['createIOServer']>[1]>;

/** A page only ever asks to subscribe. */
const maxRequestBytes = 16 * 1024;

/** The same rules for the handshake of a socket as for an HTTP request. */
export class SocketAdapter extends IoAdapter {
  constructor(
    app: INestApplicationContext,
    private readonly access: Access,
  ) {
    super(app);
  }

  override createIOServer(port: number, options?: Options): ReturnType<IoAdapter['createIOServer']> {
    return super.createIOServer(port, {
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
  }
}
