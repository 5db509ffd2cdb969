/** The process of the embedded ClickHouse: chDB on its data folder behind a socket. Its one argument is `--engine=…`. */
import { once } from 'node:events';
import { join } from 'node:path';
import { dieWithParent } from '#runtime/processes/child-side.js';
import { ownConfinement } from '#runtime/processes/reach.js';
import { closeMessage, type EngineMessage, type EngineOptions } from './options.js';

dieWithParent();

const flag = '--engine=';
const wish = process.argv.find((argument) => argument.startsWith(flag));
if (wish === undefined) throw new Error(`the engine needs ${flag}…`);
const options = JSON.parse(wish.slice(flag.length)) as EngineOptions;

try {
  const { Engine } = await import('./execution.js');
  const { createEngineServer } = await import('./http.js');
  const engine = new Engine(options, join(options.privateFolder, 'config.xml'));
  const version = await engine.version();
  const server = createEngineServer(engine);
  server.listen(options.socketPath);
  await once(server, 'listening');
  const ready: EngineMessage = { kind: 'ready', version, confinement: ownConfinement() };
  process.send?.(ready);
  // A Ctrl-C reaches everybody in the terminal, and a manager of services may end all at once: what the service has yet to
  // write when it stops, it writes here.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => undefined);
  process.on('message', (message) => {
    if (message !== closeMessage) return;
    // What runs may end; nothing new comes.
    server.close();
    server.closeIdleConnections();
    void engine.close().then(() => process.exit(0));
  });
} catch (error) {
  const failed: EngineMessage = { kind: 'failed', reason: error instanceof Error ? error.message : String(error) };
  process.send?.(failed, () => process.exit(1));
}
