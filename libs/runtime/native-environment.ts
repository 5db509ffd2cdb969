/**
 * For libraries that read the process's environment by themselves, before they are loaded; what is set already stays. In a
 * worker thread it reaches them only when the worker shares the environment (`SHARE_ENV`).
 */
export function setNativeEnvironment(values: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(values)) process.env[name] ??= value;
}

/** What such a library would read. */
export const nativeSetting = (name: string): string | undefined => process.env[name];
