import { Inject } from '@nestjs/common';
import { ConnectedSocket, MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import type { Socket } from 'socket.io';
import { z } from 'zod';
import { errorBody } from '#runtime/errors.js';
import type { ClientEvents, ServerEvents, SubscribeAnswer } from '../events/live.js';
import { parse } from '../http/parse.js';
import { runIdSchema } from '../http/run-id.js';
import { LIVE_HUB } from '../options.js';
import type { LiveHub, Subscription } from './live-hub.js';

interface SocketData {
  subscription?: Subscription | undefined;
  /** Counts subscriptions, so that a slow answer cannot take the place of a newer one. */
  turn?: number;
}
type PageSocket = Socket<ClientEvents, ServerEvents, Record<string, never>, SocketData>;

const requestSchema = z.object({
  view: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  run: runIdSchema.optional(),
  cursor: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
  epoch: z.string().max(64).optional(),
});

/** The live door of the page: one subscription a socket. */
@WebSocketGateway()
export class LiveGateway {
  constructor(@Inject(LIVE_HUB) private readonly hub: LiveHub) {}

  @SubscribeMessage('subscribe')
  async subscribe(@ConnectedSocket() socket: PageSocket, @MessageBody() body: unknown): Promise<SubscribeAnswer> {
    const turn = endSubscription(socket);
    try {
      const request = parse(requestSchema, body, 'subscribe');
      const { view } = request;
      const subscription = await this.hub.subscribe(
        { view, run: request.run, cursor: request.cursor, epoch: request.epoch },
        {
          frame: (frame, received) => socket.emit('frame', frame, received),
          reset: (reason) => socket.emit('reset', { view, reason }),
        },
      );
      if (socket.data.turn !== turn || !socket.connected) subscription.close();
      else socket.data.subscription = subscription;
      const { cursor, resumed } = subscription;
      return { ok: true, view, epoch: this.hub.epoch, cursor, resumed };
    } catch (error) {
      return { ok: false, error: errorBody(error) };
    }
  }

  @SubscribeMessage('unsubscribe')
  unsubscribe(@ConnectedSocket() socket: PageSocket): void {
    endSubscription(socket);
  }

  /** Called by Nest. */
  handleDisconnect(socket: PageSocket): void {
    endSubscription(socket);
  }
}

function endSubscription(socket: PageSocket): number {
  socket.data.subscription?.close();
  socket.data.subscription = undefined;
  socket.data.turn = (socket.data.turn ?? 0) + 1;
  return socket.data.turn;
}
