import 'reflect-metadata';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import { RunKeepers } from '#bus/run-keepers.js';
import type { ErrorBody } from '#runtime/errors.js';
import { DashboardModule } from './dashboard.module.js';
import { Access } from './http/access.js';
import { ErrorFilter } from './http/error.filter.js';
import { boundDepth } from './http/json-depth.js';
import { builtPageDir, pageDocument, securityHeaders, siteDoor, tokenDoor } from './http/page.js';
import { limitConnections, serverTimeouts } from './http/server-limits.js';
import { Sessions } from './http/sessions.js';
import { LiveHub } from './live/live-hub.js';
import { SocketAdapter } from './live/socket-adapter.js';
import { nestLogger } from './nest-logger.js';
import type { DashboardOptions } from './options.js';

const maxBodyBytes = 256 * 1024;
/** Each page holds one for its live door, and takes a few more while it loads. */
const maxConnections = 2048;
const assetMaxAge = '365d';
const keeperName = 'alerts';

export interface Dashboard {
  start(): Promise<void>;
  close(): Promise<void>;
  /** As bound; 0 before `start`. */
  readonly port: number;
}

/** The page, its API and its live door, on one port. */
export function createDashboard(options: DashboardOptions): Dashboard {
  const { alerts, bus, logger } = options;
  const keepers = new RunKeepers(bus);
  const forget = async (run: string): Promise<void> => {
    await alerts?.forgetRun?.(run);
    await keepers.forgot(keeperName, run);
  };
  const hub = new LiveHub(bus, logger, (run) => {
    forget(run).catch((error: unknown) => logger.error({ err: error, run }, 'the alerts of a deleted run stay'));
  });
  let app: NestExpressApplication | undefined;
  const sessions = new Sessions(options.config.publicUrl?.startsWith('https:') === true);
  let port = 0;
  return {
    get port() {
      return port;
    },
    async start() {
      const access = new Access(options.config, sessions);
      app = await createApp(options, hub, { access, sessions });
      await hub.start();
      await keepers.join(keeperName);
      await app.listen(options.config.ports.http, options.config.host);
      const server: Server = app.getHttpServer();
      port = (server.address() as AddressInfo).port;
      server.on('clientError', refuseGarbage);
      limitConnections(server, { door: 'http', connections: maxConnections, metrics: options.metrics });
    },
    async close() {
      await keepers.leave(keeperName);
      await hub.close();
      const server: Server | undefined = app?.getHttpServer();
      const closed = app?.close();
      // Pages keep theirs open; waiting for them would take as long as they like.
      server?.closeAllConnections();
      await closed;
      sessions.close();
      app = undefined;
    },
  };
}

interface Guards {
  readonly access: Access;
  readonly sessions: Sessions;
}

async function createApp(options: DashboardOptions, hub: LiveHub, { access, sessions }: Guards): Promise<NestExpressApplication> {
  const pageDir = options.pageDir ?? builtPageDir;
  const app = await NestFactory.create<NestExpressApplication>(
    DashboardModule.create(options, hub, sessions),
    new PatientAdapter(),
    {
      logger: nestLogger(options.logger),
      bodyParser: false,
      abortOnError: false,
    },
  );
  app.disable('x-powered-by');
  app.useGlobalFilters(new ErrorFilter(options.logger));
  app.useWebSocketAdapter(new SocketAdapter(app, access, sessions));
  app.use(securityHeaders());
  app.use(siteDoor(access));
  app.use(tokenDoor(access));
  app.use((request: IncomingMessage, _: ServerResponse, next: () => void) => {
    access.checkCaller(request);
    next();
  });
  app.use(pageDocument(pageDir));
  app.useStaticAssets(`${pageDir}/assets`, { prefix: '/assets', index: false, immutable: true, maxAge: assetMaxAge });
  app.useBodyParser('json', { limit: maxBodyBytes });
  app.use(boundDepth);
  return app;
}

/** Nest makes its server without asking for timeouts, one of which can only be given then. */
class PatientAdapter extends ExpressAdapter {
  override initHttpServer(): void {
    this.httpServer = createServer(serverTimeouts, this.getInstance());
  }
}

const statusLines: Partial<Record<ErrorBody['code'], string>> = {
  MESSAGE_TOO_LARGE: '431 Request Header Fields Too Large',
  REQUEST_TIMEOUT: '408 Request Timeout',
};

/** What is no HTTP at all still gets a code. */
function refuseGarbage(error: Error & { code?: string }, socket: Duplex): void {
  if (!socket.writable) return void socket.destroy();
  const tooLarge = error.code === 'HPE_HEADER_OVERFLOW';
  const body: ErrorBody = tooLarge
    ? { code: 'MESSAGE_TOO_LARGE', message: 'The headers are larger than 16 KiB.' }
    : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? { code: 'REQUEST_TIMEOUT', message: 'The request did not come to its end in time.' }
      : { code: 'MALFORMED_MESSAGE', message: 'This is not an HTTP request.' };
  const text = JSON.stringify(body);
  socket.end(
    `HTTP/1.1 ${statusLines[body.code] ?? '400 Bad Request'}\r\nConnection: close\r\n` +
      `Content-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
}
