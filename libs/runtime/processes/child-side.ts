import { writeFileSync } from 'node:fs';
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

/** When the machine runs out of memory, Linux ends this process before any other: its parent starts a new one. */
export function offerToOutOfMemory(): void {
  if (process.platform !== 'linux') return;
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000');
  } catch {
    // A system that hides it decides by itself.
  }
}
