import type { ClientEvents, Frame, ResetNotice, ServerEvents, SubscribeAnswer } from '#dashboard/events/live.js';

/** What is used of a socket.io client. */
export interface LiveSocket {
  readonly connected: boolean;
  on<E extends keyof ServerEvents>(event: E, listener: ServerEvents[E]): unknown;
  on(event: 'connect' | 'disconnect', listener: () => void): unknown;
  off<E extends keyof ServerEvents>(event: E, listener: ServerEvents[E]): unknown;
  off(event: 'connect' | 'disconnect', listener: () => void): unknown;
  emit<E extends keyof ClientEvents>(event: E, ...values: Parameters<ClientEvents[E]>): unknown;
}

export type LiveState = 'connecting' | 'live' | 'offline' | 'refused';

export interface SubscriptionHandlers {
  /** Frames from here on begin anew: fetch the history, and let these frames come on top of it. */
  begin(): void;
  frame(frame: Frame): void;
  state(state: LiveState, reason?: string): void;
}

const firstResetDelayMs = 250;
const maxResetDelayMs = 10_000;
const quietMs = 30_000;

let views = 0;

/**
 * Follows one run, or the list of runs: from the cursor after a lost connection, anew when the server says that the
 * cursor can no longer be taken up.
 */
export class Subscription {
  private view = 0;
  private cursor: number | undefined;
  private epoch: string | undefined;
  /** Frames that came before the answer to the subscription they belong to. */
  private early: Frame[] | undefined;
  private resetDelayMs = firstResetDelayMs;
  private lastResetMs = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private closed = false;

  constructor(
    private readonly socket: LiveSocket,
    private readonly run: string | undefined,
    private readonly handlers: SubscriptionHandlers,
  ) {}

  start(): void {
    this.socket.on('connect', this.ask);
    this.socket.on('disconnect', this.onDisconnect);
    this.socket.on('frame', this.onFrame);
    this.socket.on('reset', this.onReset);
    this.handlers.state('connecting');
    if (this.socket.connected) this.ask();
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.socket.off('connect', this.ask);
    this.socket.off('disconnect', this.onDisconnect);
    this.socket.off('frame', this.onFrame);
    this.socket.off('reset', this.onReset);
    if (this.socket.connected) this.socket.emit('unsubscribe');
  }

  private readonly ask = (): void => {
    clearTimeout(this.timer);
    const view = (this.view = ++views);
    this.early = [];
    const from = this.cursor;
    this.socket.emit(
      'subscribe',
      {
        view,
        ...(this.run !== undefined && { run: this.run }),
        ...(from !== undefined && { cursor: from, epoch: this.epoch! }),
      },
      (answer) => this.onAnswer(view, from === undefined, answer),
    );
  };

  private onAnswer(view: number, fresh: boolean, answer: SubscribeAnswer): void {
    if (this.closed || view !== this.view) return;
    if (!answer.ok) return this.handlers.state('refused', answer.error.message);
    this.epoch = answer.epoch;
    this.cursor = answer.cursor;
    const early = this.early ?? [];
    this.early = undefined;
    if (fresh || !answer.resumed) this.handlers.begin();
    this.handlers.state('live');
    for (const frame of early) this.take(frame);
  }

  private readonly onFrame = (frame: Frame, received: () => void): void => {
    if (frame.view === this.view) {
      if (this.early === undefined) this.take(frame);
      else this.early.push(frame);
    }
    received();
  };

  private take(frame: Frame): void {
    this.handlers.frame(frame);
    this.cursor = Math.max(this.cursor ?? 0, frame.cursor);
  }

  private readonly onReset = (notice: ResetNotice): void => {
    if (notice.view !== this.view) return;
    const now = Date.now();
    this.resetDelayMs = now - this.lastResetMs > quietMs ? firstResetDelayMs : Math.min(maxResetDelayMs, this.resetDelayMs * 2);
    this.lastResetMs = now;
    this.cursor = undefined;
    this.handlers.state('connecting');
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.socket.connected && this.ask(), this.resetDelayMs);
  };

  private readonly onDisconnect = (): void => {
    clearTimeout(this.timer);
    // What was not answered is asked again.
    this.early = undefined;
    this.view = 0;
    this.handlers.state('offline');
  };
}
