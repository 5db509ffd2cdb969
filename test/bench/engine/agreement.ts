import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Contender } from './contender.js';
import { vectorCount } from './workloads.js';

/** Of the norm; how far float32 may be from float64. */
export const tolerance = 2e-5;

function numbers(file: string): Float64Array {
  const bytes = readFileSync(file);
  return new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

/** Which of the float64 answers a piece of work gives: `four` answers its last product. */
function truthOf(what: string): string {
  if (what.includes('gradient') || what === 'primal part') return 'gradient';
  if (what.startsWith('four')) return `product ${vectorCount - 1}`;
  return what.startsWith('product ') ? what : 'product 0';
}

/** PyTorch in double precision writes the answers that all others are compared with. */
export async function writeTruth(torch: Contender, folder: string): Promise<void> {
  const whats = ['gradient', ...Array.from({ length: vectorCount }, (_, k) => `product ${k}`)];
  for (const what of whats) {
    const { error } = await torch.ask({ do: 'result', what: `float64 ${what}`, file: join(folder, `${what}.f64`) });
    if (error !== undefined) throw new Error(`PyTorch in float64: ${error}`);
  }
}

/** ‖answer − truth‖ / ‖truth‖, or what went wrong. */
export async function differenceOf(contender: Contender, what: string, folder: string): Promise<number | string> {
  const file = join(folder, 'answer.f64');
  const { error } = await contender.ask({ do: 'result', what, file });
  if (error !== undefined) return error;
  const [answer, truth] = [numbers(file), numbers(join(folder, `${truthOf(what)}.f64`))];
  if (answer.length !== truth.length) return `${answer.length} numbers in place of ${truth.length}`;
  let [apart, whole] = [0, 0];
  for (let i = 0; i < truth.length; i++) {
    apart += (answer[i]! - truth[i]!) ** 2;
    whole += truth[i]! ** 2;
  }
  return Math.sqrt(apart / whole);
}
