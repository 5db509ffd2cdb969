import { mkdtemp, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '#runtime/logging.js';
import { defaultEngineLimits, EngineProcess } from '#store/engine-process/engine-process.js';
import { openServerStore } from '#store/index.js';
import { storeContract } from './store-contract.js';

/**
 * The road to a server, over TCP with a user in the address and all bounds sent with each statement. At its end stands the
 * process of the embedded engine, since there is no ClickHouse server to be had from the registries of packages.
 */
storeContract({
  name: 'server',
  create: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'stagewatch-server-'));
    const engine = await EngineProcess.start({
      path: join(folder, 'clickhouse'),
      limits: defaultEngineLimits(2 * 1024 ** 3),
      logger: createLogger({ level: 'silent' }),
    });
    const door = await openDoor(engine.socketPath);
    const { port } = door.address() as AddressInfo;
    return {
      open: () => openServerStore({ url: `http://writer:not-asked@127.0.0.1:${port}` }),
      destroy: async () => {
        door.close();
        await engine.close();
        await rm(folder, { recursive: true });
      },
    };
  },
});

async function openDoor(socketPath: string): Promise<Server> {
  const server = createServer((client) => {
    const engine = connect(socketPath);
    client.pipe(engine).pipe(client);
    client.on('error', () => engine.destroy());
    engine.on('error', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
