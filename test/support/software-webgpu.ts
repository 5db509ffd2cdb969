import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasGpu } from '#engine/executors/gpu.js';
import { setNativeEnvironment } from '#runtime/native-environment.js';
import { findFile } from './needs.js';

/**
 * Without a graphics card, WebGPU computes with the software driver of Vulkan that Chromium brings. It says nothing about
 * speed, and all about whether results are right.
 */
export function provideWebGpu(what: string): void {
  if (hasGpu()) return;
  const driver = findFile(what, 'a Vulkan driver (apt-get install chromium libvulkan1)', [
    '/usr/lib/chromium/vk_swiftshader_icd.json',
  ]);
  if (driver === undefined) return;
  setNativeEnvironment({ VK_ICD_FILENAMES: driver, XDG_RUNTIME_DIR: mkdtempSync(join(tmpdir(), 'stagewatch-xdg-')) });
}
