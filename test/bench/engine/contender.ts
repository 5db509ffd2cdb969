import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';

/** What the processes of the bench understand, one line of JSON each; `peer.py` says what they mean. */
export type Command =
  | {
      readonly do: 'load';
      readonly workload: string;
      readonly folder: string;
      readonly memoryMiB?: number;
      readonly times?: number;
    }
  | { readonly do: 'time'; readonly what: string; readonly repeats: number }
  | { readonly do: 'result'; readonly what: string; readonly file: string }
  | { readonly do: 'drop' };

export interface Answer {
  readonly error?: string;
  readonly can?: readonly string[];
  readonly ms?: number;
  readonly facts?: Readonly<Record<string, number>>;
}

/** glibc gives large blocks back to the system and takes them anew, page by page, unless it is told not to. */
const keepingMemory = {
  MALLOC_TRIM_THRESHOLD_: String(8e9),
  MALLOC_MMAP_THRESHOLD_: String(8e9),
  MALLOC_TOP_PAD_: String(2 ** 28),
};

export interface ContenderOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly allocator: 'default' | 'keeping';
  readonly threads: number;
}

/** One competitor in a process of its own, which waits while it is not its turn. */
export class Contender {
  readonly name: string;
  readonly allocator: 'default' | 'keeping';
  readonly #process: ChildProcess;
  readonly #lines: Interface;
  readonly #waiting: ((answer: Answer) => void)[] = [];
  #complaints = '';

  constructor({ name, command, args, allocator, threads }: ContenderOptions) {
    this.name = name;
    this.allocator = allocator;
    const own = { BENCH_THREADS: String(threads), OMP_NUM_THREADS: String(threads), PYTHONDONTWRITEBYTECODE: '1' };
    this.#process = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...own, ...(allocator === 'keeping' ? keepingMemory : {}) },
    });
    this.#process.stderr?.on('data', (text: Buffer) => (this.#complaints = (this.#complaints + text.toString()).slice(-400)));
    this.#lines = createInterface(this.#process.stdout!);
    this.#lines.on('line', (line) => this.#waiting.shift()?.(JSON.parse(line) as Answer));
    this.#process.on('error', (error) => (this.#complaints = String(error)));
    this.#process.on('close', () => {
      for (const answer of this.#waiting.splice(0)) answer({ error: `the process ended: ${this.#complaints.trim()}` });
    });
  }

  ask(command: Command): Promise<Answer> {
    if (this.#process.exitCode !== null) return Promise.resolve({ error: `the process ended: ${this.#complaints.trim()}` });
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#process.stdin?.write(`${JSON.stringify(command)}\n`);
    });
  }

  close(): void {
    this.#process.stdin?.end();
    this.#lines.close();
    this.#process.kill();
  }
}
