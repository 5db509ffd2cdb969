import { credentials, loadPackageDefinition, Metadata, type Client, type GrpcObject } from '@grpc/grpc-js';
import { loadFileDescriptorSetFromObject, loadSync } from '@grpc/proto-loader';
import { protoPath as healthProto } from 'grpc-health-check';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { BusFull, type Bus } from '#bus/bus.js';
import { createIngestClient } from '#wire/client.js';
import { startCollector, type TestCollector } from './testing/start-collector.js';
import { attach, refusal, Talk } from './testing/talk.js';

let service: TestCollector;
afterEach(() => service.remove());

type Service = new (address: string, credentials: object) => Client & { [method: string]: Function };

function load(path: string, ...names: string[]): Service {
  let found: unknown = loadPackageDefinition(loadSync(path, { longs: Number, enums: String, defaults: true, oneofs: true }));
  for (const name of names) found = (found as GrpcObject)[name];
  return found as Service;
}

const call = (client: Client & { [method: string]: Function }, method: string, request: object, metadata = new Metadata()) =>
  new Promise<object>((resolve, reject) => {
    client[method]!.call(client, request, metadata, (error: Error | null, value: object) =>
      error ? reject(error) : resolve(value),
    );
  });

describe('doors', () => {
  it('health follows the ports', async () => {
    let full = false;
    service = await startCollector({
      wrap: ({ bus, blobs }) => ({
        blobs,
        bus: faulty(bus, { check: () => (full ? Promise.reject(new BusFull('full')) : bus.check()) }),
      }),
    });
    const client = new (load(healthProto, 'grpc', 'health', 'v1', 'Health'))(service.address, credentials.createInsecure());
    const status = (name: string) => call(client, 'Check', { service: name });
    expect(await status('')).toMatchObject({ status: 'SERVING' });
    expect(await status('stagewatch.v1.IngestService')).toMatchObject({ status: 'SERVING' });
    full = true;
    while (((await status('')) as { status: string }).status === 'SERVING')
      await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await status('')).toMatchObject({ status: 'NOT_SERVING' });
    client.close();
  });

  it('reflection describes the service to a client that knows nothing of it', async () => {
    service = await startCollector();
    const folder = dirname(createRequire(import.meta.url).resolve('@grpc/reflection/package.json'));
    const proto = join(folder, 'build/proto/grpc/reflection/v1/reflection.proto');
    const client = new (load(proto, 'grpc', 'reflection', 'v1', 'ServerReflection'))(
      service.address,
      credentials.createInsecure(),
    );
    const ask = (request: object): Promise<ReflectionAnswer> =>
      new Promise((resolve, reject) => {
        const stream = client['ServerReflectionInfo']!.call(client);
        stream.on('data', resolve);
        stream.on('error', reject);
        stream.write(request);
        stream.end();
      });
    const services = (await ask({ listServices: '' })).listServicesResponse!.service.map(({ name }) => name);
    expect(services).toContain('stagewatch.v1.IngestService');
    const files = await ask({ fileContainingSymbol: 'stagewatch.v1.IngestService' });
    // What came back is enough to make a call, as grpcurl does.
    const learned = await learn(files, ask);
    const ingest = new learned(service.address, credentials.createInsecure());
    expect(await call(ingest, 'AttachRun', { instanceId: 'from-reflection', name: 'grpcurl' })).toMatchObject({ attempt: 1 });
    const told = await call(ingest, 'AttachRun', { name: 'no instance' }).catch((error: unknown) => error);
    expect((told as { details: string }).details).toBe('instance_id has characters that are not allowed');
    expect((told as { metadata: Metadata }).metadata.get('grpc-status-details-bin').toString()).toContain(
      'google.rpc.BadRequest',
    );
    client.close();
    ingest.close();
  });

  it('a token is asked for at every door but health', async () => {
    service = await startCollector({ environment: { STAGEWATCH_TOKEN: 'a-secret-of-16-chars' } });
    const [right, wrong, none] = [
      service.client('a-secret-of-16-chars'),
      service.client('a-secret-of-16-charz'),
      service.client(),
    ];
    const run = await attach(right);
    for (const client of [wrong, none]) {
      expect(await refusal(attach(client))).toMatchObject({ code: 'FORBIDDEN', field: 'authorization' });
      expect(await new Talk(client, run).ended).toMatchObject({ code: 'FORBIDDEN' });
    }
    await new Talk(right, run).send({ sequence: 1, heartbeat: {} }).untilAcknowledged(1);
    const health = new (load(healthProto, 'grpc', 'health', 'v1', 'Health'))(service.address, credentials.createInsecure());
    expect(await call(health, 'Check', { service: '' })).toMatchObject({ status: 'SERVING' });
    health.close();
  });
});

describe('the link to the page', () => {
  const link = async (environment: Record<string, string>, host: string): Promise<string> => {
    const token = 'a-secret-of-16-chars';
    service = await startCollector({ environment: { ...environment, STAGEWATCH_TOKEN: token } });
    const client = createIngestClient({ address: `${host}:${service.collector.port}`, token });
    const { pageUrl, runId } = await attach(client);
    client.close();
    expect(pageUrl.endsWith(`/runs/${runId}`)).toBe(true);
    return pageUrl.slice(0, pageUrl.indexOf('/runs/'));
  };

  it('has the name that the probe used, where the service listens on every address', async () => {
    expect(await link({ STAGEWATCH_HOST: '0.0.0.0' }, 'localhost')).toBe('http://localhost:7580');
  });

  it('has the public address, where there is one', async () => {
    const publicUrl = 'https://stagewatch.example';
    expect(await link({ STAGEWATCH_HOST: '0.0.0.0', STAGEWATCH_PUBLIC_URL: publicUrl }, '127.0.0.1')).toBe(publicUrl);
  });
});

describe('weather', () => {
  it('a full bus refuses with a time to come back, acknowledges nothing, and takes the same records later', async () => {
    let full = false;
    service = await startCollector({
      wrap: ({ bus, blobs }) => ({
        blobs,
        bus: faulty(bus, {
          publish: (stream, messages) => (full ? Promise.reject(new BusFull('no room')) : bus.publish(stream, messages)),
        }),
      }),
    });
    const client = service.client();
    const run = await attach(client);
    full = true;
    const talk = new Talk(client, run).send({ sequence: 1, heartbeat: {} });
    expect(await talk.ended).toMatchObject({ code: 'STORAGE_FULL', retryable: true, retryAfterMs: 5000 });
    expect(talk.acknowledged()).toBe(0);
    expect(await refusal(attach(client))).toMatchObject({ code: 'STORAGE_FULL' });
    full = false;
    const again = await new Talk(client, run).send({ sequence: 1, heartbeat: {} }).untilAcknowledged(1);
    expect(again.answers[0]!.welcome!.nextSequence).toBe(1);
  });

  it('a crash between publishing and remembering stores nothing twice', async () => {
    let broken = false;
    service = await startCollector({
      wrap: ({ bus, blobs }) => ({
        blobs,
        bus: faulty(bus, {
          kv: (bucket) => {
            const kv = bus.kv(bucket);
            const put: typeof kv.put = (...given) => (broken ? Promise.reject(new Error('power cut')) : kv.put(...given));
            return { put, get: (k) => kv.get(k), delete: (k) => kv.delete(k), entries: (p) => kv.entries(p) };
          },
        }),
      }),
    });
    const run = await attach(service.client());
    broken = true;
    const talk = new Talk(service.client(), run).send({ sequence: 1, step: 1, heartbeat: {} });
    expect(await talk.ended).toMatchObject({ code: 'INTERNAL' });
    expect(talk.acknowledged()).toBe(0);
    broken = false;
    const { dataDir } = service;
    await service.stop();
    service = await startCollector({ dataDir });
    const again = new Talk(service.client(), run).send(
      { sequence: 1, step: 1, heartbeat: {} },
      { sequence: 2, step: 2, heartbeat: {} },
    );
    await again.untilAcknowledged(2);
    expect((await service.records()).map(({ message }) => message.id)).toEqual(['attach.1.0', '1.0.1', '1.0.2']);
  });

  it('closing acknowledges what came and says when to come back', async () => {
    service = await startCollector();
    const talk = new Talk(service.client(), await attach(service.client()));
    await talk.send({ sequence: 1, heartbeat: {} }).untilAcknowledged(1);
    const closing = service.collector.close();
    expect(await talk.ended).toMatchObject({ code: 'UNAVAILABLE', retryable: true, retryAfterMs: 500 });
    await closing;
  });
});

function faulty(bus: Bus, change: Partial<Bus>): Bus {
  return new Proxy(bus, {
    get: (target, name) => {
      const own = change[name as keyof Bus] ?? (target[name as keyof Bus] as unknown);
      return typeof own === 'function' ? own.bind(target) : own;
    },
  });
}

interface ReflectionAnswer {
  readonly listServicesResponse?: { readonly service: readonly { readonly name: string }[] };
  readonly fileDescriptorResponse?: { readonly fileDescriptorProto: readonly Buffer[] };
}

/** Builds a client of the service from descriptors alone. */
async function learn(files: ReflectionAnswer, ask: (request: object) => Promise<ReflectionAnswer>): Promise<Service> {
  const { fileDescriptorProto } = files.fileDescriptorResponse!;
  const descriptor = createRequire(createRequire(import.meta.url).resolve('@grpc/proto-loader'))('protobufjs/ext/descriptor');
  const known = new Map<string, object>();
  const queue = [...fileDescriptorProto];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const file = descriptor.FileDescriptorProto.toObject(descriptor.FileDescriptorProto.decode(next), { defaults: false });
    if (known.has(file.name)) continue;
    known.set(file.name, file);
    for (const needed of file.dependency ?? []) {
      if (!known.has(needed))
        queue.push(...((await ask({ fileByFilename: needed })).fileDescriptorResponse?.fileDescriptorProto ?? []));
    }
  }
  const definition = loadFileDescriptorSetFromObject({ file: [...known.values()] }, { longs: Number, defaults: true });
  const packages = loadPackageDefinition(definition) as unknown as { stagewatch: { v1: { IngestService: Service } } };
  return packages.stagewatch.v1.IngestService;
}
