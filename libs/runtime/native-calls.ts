import { createRequire } from 'node:module';
import type koffi from 'koffi';

/** Of a call, in place of koffi's 2 MiB: ONNX Runtime needs more while it opens a graph. */
const stackBytes = 8 * 2 ** 20;

let ready: typeof koffi | undefined;

/**
 * The way to native code, the same for all who need it: koffi takes its settings before the first library is loaded, whoever
 * loads it. Throws an Error where koffi is not there.
 */
export function nativeCalls(): typeof koffi {
  if (ready !== undefined) return ready;
  const loaded = createRequire(import.meta.url)('koffi') as typeof koffi;
  // A confined process has loaded a library before any other code ran, with the same setting.
  const config = loaded.config() as { readonly sync_stack_size?: number };
  if (config.sync_stack_size !== stackBytes) loaded.config({ sync_stack_size: stackBytes });
  return (ready = loaded);
}
