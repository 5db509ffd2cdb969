/** All kinds of calls share the counts of what is open and one order of closing, which is why this file is long. */
import type { Blobs } from '#blobs/blobs.js';
import { ArtifactReferences } from '#bus/artifact-references.js';
import type { Bus } from '#bus/bus.js';
import { RunKeepers } from '#bus/run-keepers.js';
import type { Config } from '#runtime/config.js';
import { StagewatchError } from '#runtime/errors.js';
import type { Logger } from '#runtime/logging.js';
import type { Metrics } from '#runtime/metrics.js';
import type { Input } from '#wire/codec.js';
import type { RecordsMessage } from '#wire/record-stream.js';
import type {
  AttachRunRequest,
  AttachRunResponse,
  DescribeModelRequest,
  DescribeModelResponse,
  StreamHello,
} from '#wire/generated/messages.js';
import { ArtifactHashes } from './artifact-hashes.js';
import { checkAttach } from './check-attach.js';
import { checkKey, refuse, textLimits } from './checks.js';
import { ControlForwarder } from './control-forwarder.js';
import { creditBytes } from './credit.js';
import { toStatus, translate } from './grpc-errors.js';
import { GroupPublisher } from './group-publisher.js';
import { GraphLooker } from './graph-look/graph-looker.js';
import type { Identity } from './identity.js';
import { messagesOf } from './messages-of.js';
import { ModelDoor } from './model-door.js';
import { Presence } from './presence.js';
import { RecordSession, type RecordsCall } from './record-session.js';
import { deletedRun, RunGuard } from './run-guard.js';
import { RunRegistry } from './run-registry.js';
import { UploadSession, type UploadCall } from './upload-session.js';

export interface IngestOptions {
  readonly bus: Bus;
  readonly blobs: Blobs;
  readonly config: Pick<Config, 'limits' | 'graphs' | 'lostAfterMs'>;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly pageUrl: PageUrl;
}

/** Where people look at a run; `askedHost` is the name by which a probe reached this service. */
export type PageUrl = (runId: string, askedHost?: string) => string;

/** Chunks are messages too; the rest of the message is a few bytes. */
const chunkMarginBytes = 1024;
const shutdownRetryMs = 500;
const keeperName = 'collector';

/** The rules of taking things in: who may, how many, and what is answered. */
export class IngestService {
  private readonly registry: RunRegistry;
  private readonly publisher: GroupPublisher;
  private readonly presence: Presence;
  private readonly controls: ControlForwarder;
  private readonly looker: GraphLooker;
  private readonly models: ModelDoor;
  private readonly hashes: ArtifactHashes;
  private readonly guard = new RunGuard();
  private readonly references: ArtifactReferences;
  private readonly keepers: RunKeepers;
  private readonly uploading = new Map<UploadCall, string>();
  private readonly listening = new Map<string, Set<Identity>>();
  /** Calls that are open, and how to end each. */
  private readonly calls = new Map<object, (error: unknown) => void>();
  private readonly running = new Set<Promise<void>>();
  private streams = 0;
  private uploads = 0;
  private closing = false;

  constructor(private readonly options: IngestOptions) {
    const { bus, blobs, logger, config } = options;
    const now = (): number => performance.now();
    this.registry = new RunRegistry({ bus, lostAfterMs: config.lostAfterMs, now });
    this.publisher = new GroupPublisher(bus, 'records');
    this.presence = new Presence({ bus, registry: this.registry, lostAfterMs: config.lostAfterMs, now, logger });
    this.controls = new ControlForwarder({
      bus,
      logger,
      listeners: (runId) => this.listening.get(runId) ?? [],
      onDeleted: (runId) => this.forget(runId),
    });
    this.references = new ArtifactReferences(bus);
    this.keepers = new RunKeepers(bus);
    const { registry, guard, references } = this;
    this.looker = new GraphLooker({ limits: config.graphs, logger, metrics: options.metrics });
    this.models = new ModelDoor({ registry, bus, blobs, guard, references, looker: this.looker });
    this.hashes = new ArtifactHashes(blobs);
  }

  async start(): Promise<void> {
    await this.keepers.join(keeperName);
    await this.presence.start();
    await this.controls.start();
  }

  /** Ends every call with a word about coming back, after what they brought is durable. */
  async close(): Promise<void> {
    this.closing = true;
    await this.controls.close();
    for (const end of this.calls.values()) end(unavailable());
    await this.looker.close();
    await Promise.all(this.running);
    await this.publisher.close();
    await this.presence.close();
    await this.keepers.leave(keeperName);
  }

  async attach(request: AttachRunRequest, askedHost?: string): Promise<Input<AttachRunResponse>> {
    this.assertOpen();
    checkAttach(request);
    const { identity, runSecret } = await this.registry.attach({ ...request, project: request.project || 'default' });
    const { place, state } = identity;
    const { limits } = this.options.config;
    return {
      runId: place.runId,
      attempt: place.attempt,
      nextSequence: state.nextSequence,
      limits: {
        messageBytes: limits.messageBytes,
        chunkBytes: this.chunkBytes(),
        blobBytes: limits.blobBytes,
        metricsPerRun: limits.metricsPerRun,
        nameBytes: textLimits.nameBytes,
      },
      pageUrl: this.options.pageUrl(place.runId, askedHost),
      runSecret,
    };
  }

  describe(request: DescribeModelRequest): Promise<Input<DescribeModelResponse>> {
    this.assertOpen();
    return this.models.describe(request);
  }

  async upload(call: UploadCall): Promise<void> {
    const { blobs, metrics, config } = this.options;
    await this.serve(call, async () => {
      this.assertRoom(this.uploads, 'uploads');
      this.uploads++;
      let leave: (() => void) | undefined;
      try {
        await UploadSession.serve(call, messagesOf(call), {
          blobs,
          metrics,
          hashes: this.hashes,
          blobBytes: config.limits.blobBytes,
          chunkBytes: this.chunkBytes(),
          authorize: async (header) => {
            leave = this.guard.enter(header.runId);
            this.uploading.set(call, header.runId);
            return await this.registry.authorizeInstance(header);
          },
          refer: (runId, digest) => this.references.add(runId, [digest]),
          alive: (identity) => this.presence.alive(identity),
        });
        call.end();
      } finally {
        this.uploads--;
        this.uploading.delete(call);
        leave?.();
      }
    });
  }

  async records(call: RecordsCall): Promise<void> {
    await this.serve(call, async () => {
      this.assertRoom(this.streams, 'streams');
      this.options.metrics.streams.set(++this.streams);
      try {
        await this.stream(call);
      } finally {
        this.options.metrics.streams.set(--this.streams);
      }
    });
  }

  private async stream(call: RecordsCall): Promise<void> {
    const messages = messagesOf(call);
    const first = await messages.next();
    if (first.done === true) return void call.end();
    if (first.value.kind !== 'hello')
      refuse('INVALID_ARGUMENT', 'a stream begins with hello', { field: 'hello', expected: 'hello' });
    const { hello } = first.value;
    checkKey(hello.instanceId, 'hello.instance_id');
    const leave = this.guard.enter(hello.runId);
    try {
      await this.streamInside(call, messages, hello);
    } finally {
      leave();
    }
  }

  private async streamInside(call: RecordsCall, messages: AsyncIterable<RecordsMessage>, hello: StreamHello): Promise<void> {
    const identity = await this.registry.authorize(hello);
    await identity.session?.supersede();
    const { registry, publisher, presence } = this;
    const { metrics, logger, config, blobs } = this.options;
    const session = new RecordSession(call, identity, await registry.metricsOf(hello.runId), {
      registry,
      publisher,
      presence,
      metrics,
      logger,
      metricsPerRun: config.limits.metricsPerRun,
      credit: () => creditBytes(this.streams),
      blobBytes: async (name) => (await blobs.stat(name))?.bytes,
    });
    identity.session = session;
    this.calls.set(call, (error) => session.fail(error));
    this.listen(identity);
    try {
      const running = session.run(messages);
      this.controls.greet(identity);
      await running;
    } finally {
      if (identity.session === session) {
        identity.session = undefined;
        this.unlisten(identity);
        registry.release(identity);
      }
    }
  }

  /**
   * Ends what goes on for a run and removes what this room knows of it; its messages and blobs are the caller's to remove.
   * When this resolves, nothing more comes of the run.
   */
  async forget(runId: string): Promise<void> {
    const left = this.guard.close(runId);
    await this.registry.expel(runId);
    for (const [call, run] of this.uploading) if (run === runId) this.calls.get(call)?.(deletedRun(runId));
    await left;
    await this.presence.quiet(runId);
    this.controls.forget(runId);
    await this.registry.forget(runId);
    this.guard.open(runId);
    await this.keepers.forgot(keeperName, runId);
  }

  /** Runs one streaming call: an error becomes its status, and no other call notices. */
  private async serve(call: RecordsCall | UploadCall, work: () => Promise<void>): Promise<void> {
    const fail = (error: unknown): void => {
      if (call.cancelled || call.writableEnded) return;
      call.emit('error', toStatus(translate(error)));
    };
    this.calls.set(call, fail);
    const running = this.guarded(call, work, fail);
    this.running.add(running);
    await running;
    this.running.delete(running);
    this.calls.delete(call);
  }

  private async guarded(
    call: RecordsCall | UploadCall,
    work: () => Promise<void>,
    fail: (error: unknown) => void,
  ): Promise<void> {
    try {
      this.assertOpen();
      await work();
    } catch (error) {
      if (call.cancelled || call.writableEnded) return;
      const told = translate(error);
      if (told instanceof StagewatchError) this.options.metrics.rejected.inc({ code: told.code });
      else this.options.logger.error({ err: error }, 'a call failed');
      fail(told);
    }
  }

  private listen(identity: Identity): void {
    const { runId } = identity.place;
    const listening = this.listening.get(runId) ?? new Set();
    this.listening.set(runId, listening.add(identity));
  }

  private unlisten(identity: Identity): void {
    const listening = this.listening.get(identity.place.runId);
    listening?.delete(identity);
    if (listening?.size === 0) this.listening.delete(identity.place.runId);
  }

  private chunkBytes(): number {
    return Math.min(4 * 1024 * 1024, this.options.config.limits.messageBytes - chunkMarginBytes);
  }

  private assertOpen(): void {
    if (this.closing) throw unavailable();
  }

  private assertRoom(open: number, what: 'streams' | 'uploads'): void {
    const { streams } = this.options.config.limits;
    if (open < streams) return;
    refuse('TOO_MANY_STREAMS', `as many ${what} are open as this service takes`, {
      value: String(open),
      expected: `at most ${streams}`,
      retryAfterMs: 2000,
    });
  }
}

const unavailable = (): StagewatchError =>
  new StagewatchError('UNAVAILABLE', 'the service is closing', { retryAfterMs: shutdownRetryMs });
