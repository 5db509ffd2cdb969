import http2 from 'node:http2';

/** Bytes that a sender may have on the way: with the default of 64 KiB an upload waits a round trip for each 64 KiB. */
export const windowBytes = 8 * 1024 * 1024;

/**
 * Runs `bind`, during which every HTTP/2 server that is made gets wide receive windows. grpc-js takes no option for
 * it on the server (grpc-node#3058), so `http2.createServer` is wrapped while it binds, and put back afterwards.
 */
export async function withWideWindows<T>(bind: () => Promise<T>, bytes = windowBytes): Promise<T> {
  const original = http2.createServer;
  const wide = ((options: http2.ServerOptions, ...rest: []) => {
    const server = original({ ...options, settings: { ...options.settings, initialWindowSize: bytes } }, ...rest);
    server.on('session', (session) => session.setLocalWindowSize(bytes));
    return server;
  }) as typeof http2.createServer;
  http2.createServer = wide;
  try {
    return await bind();
  } finally {
    if (http2.createServer === wide) http2.createServer = original;
  }
}
