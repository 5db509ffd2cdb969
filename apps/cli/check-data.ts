import { checkBlobs, openFileBlobs } from '#blobs/index.js';
import { describeFile } from '#bus/index.js';
import { dataPaths } from './data-paths.js';
import type { Check } from './doctor-checks.js';

const mostNamed = 20;

/** The file of the bus page by page, and every blob against its checksum. Nobody may have the data folder open. */
export async function checkBusAndBlobs(dataDir: string): Promise<readonly Check[]> {
  const paths = dataPaths(dataDir);
  const bus: Check = { name: `bus ${paths.bus}`, ...(await describeFile(paths.bus, paths.busCopies)) };
  const blobs = await openFileBlobs({ path: paths.blobs });
  try {
    const report = await checkBlobs(paths.blobs, blobs);
    const name = `blobs ${paths.blobs}`;
    const unknown = report.unknown === 0 ? '' : `; ${report.unknown} have no checksum to compare with`;
    const found: Check = {
      name,
      ok: report.damage.length === 0,
      detail: `${report.blobs} blobs, ${report.bytes} bytes${unknown}`,
    };
    const named = report.damage.slice(0, mostNamed).map((detail): Check => ({ name, ok: false, detail }));
    const more = report.damage.length - named.length;
    return [bus, found, ...named, ...(more > 0 ? [{ name, ok: false, detail: `and ${more} more` }] : [])];
  } finally {
    await blobs.close();
  }
}
