import { decodeJson, encodeJson, type LiveBody } from '#bus/messages.js';
import type { Bus } from '#bus/bus.js';
import { newId } from '#runtime/ids.js';
import type { Logger } from '#runtime/logging.js';
import { sleep } from '#runtime/retry.js';
import { catchUp } from './catch-up.js';
import { Feed, type FeedSink } from './feed.js';
import { Topic } from './topic.js';

/** Four frames a second at most. */
const frameIntervalMs = 250;
/** A cursor moves on without news so often, so that an idle page can still resume from it. */
const cursorIntervalFrames = 20;
const retryTailMs = 500;

export interface SubscribeOptions {
  readonly view: number;
  readonly run: string | undefined;
  readonly cursor: number | undefined;
  readonly epoch: string | undefined;
}

export interface Subscription {
  readonly cursor: number;
  readonly resumed: boolean;
  close(): void;
}

/** Reads the stream `live` once for the whole process and hands it to everybody who watches. */
export class LiveHub {
  private readonly topics = new Map<string, Topic>();
  private readonly stopping = new AbortController();
  private loop: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private frames = 0;
  private at = 0;
  private epochId = '';

  constructor(
    private readonly bus: Bus,
    private readonly logger: Logger,
    private readonly deleted: (run: string) => void = () => undefined,
  ) {}

  /** Everything up to this position of `live` is in the store and has been handed on. */
  get position(): number {
    return this.at;
  }

  /** Names the data folder: a cursor of another one means nothing. */
  get epoch(): string {
    return this.epochId;
  }

  async start(): Promise<void> {
    this.epochId = await readEpoch(this.bus);
    this.at = await this.bus.head('live');
    this.loop = this.follow();
    this.timer = setInterval(() => this.flush(), frameIntervalMs);
    this.timer.unref();
  }

  async close(): Promise<void> {
    this.stopping.abort();
    clearInterval(this.timer);
    await this.loop;
  }

  /** Frames begin right away; `resumed` is false when the cursor could not be taken up. */
  async subscribe(options: SubscribeOptions, sink: FeedSink): Promise<Subscription> {
    const feed = new Feed(options.view, sink);
    const close = (): void => {
      feed.close();
      this.leave(options.run, feed);
    };
    const { cursor } = options;
    const known = cursor !== undefined && options.epoch === this.epochId && cursor <= this.at;
    if (!known || cursor < (await this.bus.floor('live'))) {
      this.join(options.run, feed);
      return { cursor: this.at, resumed: cursor === undefined, close };
    }
    if (cursor === this.at) this.join(options.run, feed);
    else void this.replay(feed, options.run, cursor);
    return { cursor, resumed: true, close };
  }

  /** For tests: sends what is held without waiting for the clock. */
  flush(): void {
    const withCursor = ++this.frames % cursorIntervalFrames === 0;
    for (const [id, topic] of this.topics) {
      topic.flush(this.at, withCursor);
      if (topic.watchers === 0) this.topics.delete(id);
    }
  }

  private async replay(feed: Feed, run: string | undefined, cursor: number): Promise<void> {
    try {
      const done = await catchUp({
        bus: this.bus,
        run,
        cursor,
        target: () => this.at,
        signal: this.stopping.signal,
        ended: () => feed.ended,
        arrived: ({ position, content, items }) => {
          if (feed.send({ cursor: position, ...content }, items)) this.join(run, feed);
        },
      });
      if (!done) feed.reset('cursor-too-old');
    } catch (error) {
      this.logger.error({ err: error, run }, 'could not read what a page has missed');
      feed.reset('cursor-too-old');
    }
  }

  private join(run: string | undefined, feed: Feed): void {
    if (feed.ended) return;
    const id = run ?? '';
    let topic = this.topics.get(id);
    if (topic === undefined) this.topics.set(id, (topic = new Topic(run === undefined)));
    topic.join(feed);
  }

  private leave(run: string | undefined, feed: Feed): void {
    const topic = this.topics.get(run ?? '');
    topic?.leave(feed);
    if (topic?.watchers === 0) this.topics.delete(run ?? '');
  }

  private async follow(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        if ((await this.bus.floor('live')) > this.at) {
          // Messages went by unread: whoever watches asks for the history again.
          this.at = await this.bus.head('live');
          for (const topic of this.topics.values()) topic.resetAll('cursor-too-old');
        }
        for await (const message of this.bus.tail('live', { after: this.at, signal })) {
          this.hand(message.subject, decodeJson<LiveBody>(message.body));
          this.at = message.position;
        }
      } catch (error) {
        if (!signal.aborted) this.logger.error({ err: error }, 'reading the live stream failed; trying again');
      }
      await sleep(retryTailMs, signal);
    }
  }

  private hand(run: string, body: LiveBody): void {
    this.topics.get(run)?.add(run, body);
    this.topics.get('')?.add(run, body);
    if (body.kind === 'deleted') this.deleted(run);
  }
}

async function readEpoch(bus: Bus): Promise<string> {
  const kv = bus.kv('dashboard');
  await kv.put('epoch', encodeJson(newId('e')), 0);
  const entry = await kv.get('epoch');
  if (entry === undefined) throw new Error('The bus does not keep its values.');
  return decodeJson<string>(entry.value);
}
