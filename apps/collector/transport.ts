import { timingSafeEqual } from 'node:crypto';
import {
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
} from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { ServerGrpc } from '@nestjs/microservices';
import type { HealthImplementation } from 'grpc-health-check';
import { StagewatchError } from '#runtime/errors.js';
import { sleep } from '#runtime/retry.js';
import { withWideWindows } from '#wire/http2-window.js';
import { packageDefinition, packageName } from '#wire/service.js';
import { completeStatus, toStatus } from './grpc-errors.js';

export interface TransportOptions {
  /** `host:port`. */
  readonly url: string;
  readonly maxMessageBytes: number;
  readonly token: string | undefined;
  readonly health: HealthImplementation;
}

/**
 * Nest's gRPC transport, with what it lacks: wide receive windows, the port that was bound, health and reflection,
 * one token at the door, and every refusal in one shape. Services are there before the port is open.
 */
export class CollectorTransport extends ServerGrpc {
  port = 0;
  private server: Server | undefined;

  constructor(private readonly given: TransportOptions) {
    super({ package: packageName, url: given.url, packageDefinition: packageDefinition() });
  }

  override createClient(): Promise<Server> {
    const { maxMessageBytes, token } = this.given;
    this.server = new Server({
      'grpc.max_receive_message_length': maxMessageBytes,
      'grpc.keepalive_time_ms': 20_000,
      'grpc.keepalive_timeout_ms': 10_000,
      interceptors: [completeStatuses(maxMessageBytes), ...(token === undefined ? [] : [requireToken(token)])],
    });
    return Promise.resolve(this.server);
  }

  override async start(callback?: () => void): Promise<void> {
    const server = this.server!;
    await this.bindEvents();
    this.given.health.addToServer(server);
    new ReflectionService(packageDefinition() as ConstructorParameters<typeof ReflectionService>[0]).addToServer(server);
    this.port = await withWideWindows(
      () =>
        new Promise<number>((resolve, reject) => {
          server.bindAsync(this.given.url, ServerCredentials.createInsecure(), (error, port) =>
            error === null ? resolve(port) : reject(error),
          );
        }),
    );
    callback?.();
  }

  /** Takes no new calls, and gives those that are open so long to end. */
  async drain(patienceMs: number): Promise<void> {
    const { server } = this;
    if (server === undefined) return;
    const stop = new AbortController();
    await Promise.race([new Promise<void>((resolve) => server.tryShutdown(() => resolve())), sleep(patienceMs, stop.signal)]);
    stop.abort();
  }
}

/** Health may be asked without a token: it says nothing about any run. */
const openPrefix = '/grpc.health.v1.';

function requireToken(token: string): ServerInterceptor {
  const expected = Buffer.from(`Bearer ${token}`);
  return (method, call) =>
    new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, pass) => {
            const given = Buffer.from(String(metadata.get('authorization')[0] ?? ''));
            const right = given.length === expected.length && timingSafeEqual(given, expected);
            if (right || method.path.startsWith(openPrefix)) return pass(metadata);
            call.sendStatus(
              toStatus(
                new StagewatchError('FORBIDDEN', 'a token is needed', {
                  field: 'authorization',
                  expected: 'Bearer and the token',
                }),
              ),
            );
          },
        }),
    });
}

/** grpc-js refuses some messages before any handler or interceptor sees them: the only place to reach is the call itself. */
function completeStatuses(maxMessageBytes: number): ServerInterceptor {
  return (_method, call: ServerInterceptingCallInterface) => {
    const send = call.sendStatus.bind(call);
    call.sendStatus = (status): void => send(completeStatus(status, maxMessageBytes));
    return new ServerInterceptingCall(call);
  };
}
