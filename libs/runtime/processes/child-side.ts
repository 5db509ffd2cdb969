import { nativeCalls } from '../native-calls.js';

/**
 * Called first by every program that runs as a child: when the service is gone, however it ended, so is the child, also
 * while it is busy in a native library and hears no message.
 */
export function dieWithParent(): void {
  process.once('disconnect', () => process.exit(0));
  if (process.platform !== 'linux') return;
  const setDeathSignal = 1;
  const sigkill = 9;
  const prctl = nativeCalls().load(null).func('int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)');
  prctl(setDeathSignal, sigkill, 0, 0, 0);
  // It may have gone before the wish was made.
  if (!process.connected) process.exit(0);
}
