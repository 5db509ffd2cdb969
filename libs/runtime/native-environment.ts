/** For libraries that read the process's environment by themselves, before they are loaded; what is set already stays. */
export function setNativeEnvironment(values: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(values)) process.env[name] ??= value;
}

/** By their whole names, or by how they begin. */
const ofLibraries =
  /^(PATH|HOME|TMPDIR|TZ|LANG|LC_\w+|SYSTEMROOT|XDG_\w+|LD_LIBRARY_PATH|DYLD_\w+|(CUDA|NVIDIA|CUDNN|VK|MESA|OMP|MKL|OPENBLAS|ORT|TF)_\w+)$/i;

/** All that a child process sees of the environment: what native libraries may look for there, and nothing of the service's. */
export function libraryEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value !== undefined && ofLibraries.test(name) ? [[name, value]] : [],
    ),
  );
}

/** What such a library would read. */
export const nativeSetting = (name: string): string | undefined => process.env[name];
