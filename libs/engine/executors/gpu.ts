import { existsSync, readdirSync } from 'node:fs';
import { nativeSetting } from '#runtime/native-environment.js';
import { ExecutorRefused } from './open-executor.js';

const linux = process.platform === 'linux';

/** NVIDIA's driver shows its cards so on Linux; elsewhere there is no CUDA for Node. */
export const hasNvidiaGpu = (): boolean => linux && existsSync('/dev/nvidia0');

/** NVIDIA's cards that a process may use, by their numbers: those that the environment leaves to it, or all. */
export function cudaDevices(): readonly string[] {
  const allowed = nativeSetting('CUDA_VISIBLE_DEVICES');
  if (allowed !== undefined) return allowed.split(',').filter((device) => device !== '');
  try {
    return readdirSync('/dev').flatMap((name) => /^nvidia(\d+)$/.exec(name)?.[1] ?? []);
  } catch {
    return [];
  }
}

export const usesCuda = (executor: string): boolean => executor === 'ort-cuda' || executor === 'tfjs-node-gpu';

/** A card that can draw; elsewhere than on Linux every machine that people train on has one. */
export function hasGpu(): boolean {
  if (!linux || hasNvidiaGpu()) return true;
  try {
    return readdirSync('/dev/dri').some((name) => name.startsWith('renderD'));
  } catch {
    return false;
  }
}

/** Asked for without a card and a driver, WebGPU complains on standard error; a software driver is named on purpose. */
export function needWebGpuDriver(): void {
  if (hasGpu() || (nativeSetting('VK_ICD_FILENAMES') ?? nativeSetting('VK_DRIVER_FILES'))) return;
  throw new ExecutorRefused(
    'gpu',
    'no graphics card was found (there is nothing in /dev/dri), and VK_ICD_FILENAMES names no driver',
  );
}
