/** One contract, read as one list; long for that reason. */
import { randomFillSync } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BlobMissing, ChecksumMismatch, OffsetMismatch, UploadSuperseded, type Blobs, type Upload } from '#blobs/blobs.js';

/** One installation of a blob store: it can be left and opened again. */
export interface BlobsHome {
  open(): Promise<Blobs>;
  /** Leaves without closing the uploads under way one by one. */
  leave(blobs: Blobs): Promise<void>;
  destroy(): Promise<void>;
}

export interface BlobsContract {
  readonly name: string;
  readonly create: () => Promise<BlobsHome>;
}

const name = 'runs/r1/snapshots/1.10';

/** What every blob store must do. */
export function blobsContract(contract: BlobsContract): void {
  describe(`blobs contract - ${contract.name}`, () => {
    let home: BlobsHome;
    let blobs: Blobs;

    beforeEach(async () => {
      home = await contract.create();
      blobs = await home.open();
    });
    afterEach(async () => {
      await blobs.close();
      await home.destroy();
    });

    const store = async (target: string, data: Uint8Array): Promise<void> => {
      const upload = await blobs.upload(target, data.length);
      await upload.write(0, data);
      await upload.commit(crc32(data));
    };
    const names = async (prefix: string): Promise<string[]> => {
      const found = [];
      for await (const blob of blobs.list(prefix)) found.push(blob.name);
      return found;
    };

    test.each([0, 1, 1000, 3_000_000])('%i bytes come back as they were sent', async (bytes) => {
      const data = random(bytes);
      await store(name, data);
      expect(await blobs.stat(name)).toEqual({ bytes });
      expect(Buffer.compare(await blobs.read(name), data)).toBe(0);
    });

    test('where a blob is a file, the path leads to its bytes', async () => {
      const data = random(1000);
      await store(name, data);
      const path = blobs.path(name);
      expect(path === undefined || readFileSync(path).equals(data)).toBe(true);
      const missing = blobs.path('runs/r1/snapshots/missing');
      expect(missing === undefined || !existsSync(missing)).toBe(true);
    });

    test('chunks that are not waited for keep their order', async () => {
      const data = random(5_000_000);
      const upload = await blobs.upload(name, data.length);
      const writes = [];
      for (let at = 0; at < data.length; at += 70_001) writes.push(upload.write(at, data.subarray(at, at + 70_001)));
      await Promise.all(writes);
      expect(await upload.sync()).toBe(data.length);
      expect([upload.durableBytes, upload.crc32]).toEqual([data.length, crc32(data)]);
      await upload.commit(crc32(data));
      expect(Buffer.compare(await blobs.read(name), data)).toBe(0);
    });

    test('a range is read exactly, and one beyond the end is refused', async () => {
      const data = random(10_000);
      await store(name, data);
      expect(Buffer.compare(await blobs.read(name, { offset: 100, bytes: 50 }), data.subarray(100, 150))).toBe(0);
      expect((await blobs.read(name, { offset: 10_000, bytes: 0 })).length).toBe(0);
      await expect(blobs.read(name, { offset: 9_990, bytes: 11 })).rejects.toThrow(RangeError);
    });

    test('until it is committed a blob is absent', async () => {
      const data = random(1000);
      const upload = await blobs.upload(name, data.length);
      await upload.write(0, data);
      await upload.sync();
      expect(await blobs.stat(name)).toBeUndefined();
      await expect(blobs.read(name)).rejects.toBeInstanceOf(BlobMissing);
      expect(await names('runs/')).toEqual([]);
      await upload.commit(crc32(data));
      expect(await names('runs/')).toEqual([name]);
    });

    test('what is complete need not be sent again', async () => {
      const data = random(1000);
      await store(name, data);
      const again = await blobs.upload(name, data.length);
      expect([again.complete, again.durableBytes, again.crc32]).toEqual([true, 1000, crc32(data)]);
      await again.close();
      expect(Buffer.compare(await blobs.read(name), data)).toBe(0);
    });

    describe('uploads that break off', () => {
      const data = random(2_000_000);
      const begin = async (bytes: number): Promise<Upload> => {
        const upload = await blobs.upload(name, data.length);
        expect([upload.complete, upload.durableBytes, upload.crc32]).toEqual([false, 0, 0]);
        await upload.write(0, data.subarray(0, bytes));
        await upload.sync();
        return upload;
      };
      const finish = async (): Promise<void> => {
        const upload = await blobs.upload(name, data.length);
        expect(upload.crc32).toBe(crc32(data.subarray(0, upload.durableBytes)));
        await upload.write(upload.durableBytes, data.subarray(upload.durableBytes));
        await upload.commit(crc32(data));
        expect(Buffer.compare(await blobs.read(name), data)).toBe(0);
      };

      test('are taken up at what is durable, with its checksum', async () => {
        const upload = await begin(700_000);
        await upload.close();
        const again = await blobs.upload(name, data.length);
        expect([again.complete, again.durableBytes, again.crc32]).toEqual([false, 700_000, crc32(data.subarray(0, 700_000))]);
        await again.close();
        await finish();
      });

      test('survive the end of the process', async () => {
        await begin(700_000);
        await home.leave(blobs);
        blobs = await home.open();
        const again = await blobs.upload(name, data.length);
        expect(again.durableBytes).toBeGreaterThanOrEqual(700_000);
        await again.close();
        await finish();
      });

      test('a part that is longer than what is announced now is begun anew', async () => {
        await (await begin(700_000)).close();
        const shorter = data.subarray(0, 500_000);
        const upload = await blobs.upload(name, shorter.length);
        expect(upload.durableBytes).toBe(0);
        await upload.write(0, shorter);
        await upload.commit(crc32(shorter));
        expect((await blobs.read(name)).length).toBe(500_000);
      });

      test('the newest writer wins, and the older one learns it', async () => {
        const old = await begin(700_000);
        const fresh = await blobs.upload(name, data.length);
        expect(fresh.durableBytes).toBe(700_000);
        await expect(old.write(700_000, data.subarray(700_000))).rejects.toBeInstanceOf(UploadSuperseded);
        await expect(old.sync()).rejects.toBeInstanceOf(UploadSuperseded);
        await expect(old.commit(0)).rejects.toBeInstanceOf(UploadSuperseded);
        await old.close();
        await fresh.write(700_000, data.subarray(700_000));
        await fresh.commit(crc32(data));
        expect(Buffer.compare(await blobs.read(name), data)).toBe(0);
      });

      test('of many who open a name at once, exactly one can finish', async () => {
        const uploads = await Promise.all(Array.from({ length: 5 }, () => blobs.upload(name, data.length)));
        const outcomes = await Promise.allSettled(
          uploads.map(async (upload) => {
            await upload.write(0, data);
            await upload.commit(crc32(data));
          }),
        );
        expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
        expect(Buffer.compare(await blobs.read(name), data)).toBe(0);
      });
    });

    test('an upload that opens a name while another commits it finds it complete, or begins anew', async () => {
      const data = random(300_000);
      for (let round = 0; round < 20; round++) {
        const target = `runs/r1/${round}`;
        const first = await blobs.upload(target, data.length);
        await first.write(0, data);
        const committing = first.commit(crc32(data)).then(
          () => true,
          () => false,
        );
        const second = await blobs.upload(target, data.length);
        expect(!(await committing) || second.complete).toBe(true);
        if (!second.complete) await second.commit(crc32(data));
        await second.close();
        expect(Buffer.compare(await blobs.read(target), data)).toBe(0);
      }
    });

    describe('what is wrong is refused', () => {
      test('an offset other than the next one, and nothing is written', async () => {
        const upload = await blobs.upload(name, 100);
        await upload.write(0, Buffer.alloc(10));
        for (const offset of [0, 9, 11, -1])
          await expect(upload.write(offset, Buffer.alloc(1))).rejects.toBeInstanceOf(OffsetMismatch);
        expect(await upload.sync()).toBe(10);
        await upload.close();
      });

      test('more bytes than were announced', async () => {
        const upload = await blobs.upload(name, 100);
        await expect(upload.write(0, Buffer.alloc(101))).rejects.toBeInstanceOf(OffsetMismatch);
        await upload.close();
      });

      test('a checksum that differs, and the bytes are forgotten', async () => {
        const data = random(1000);
        const upload = await blobs.upload(name, data.length);
        await upload.write(0, data);
        await expect(upload.commit(crc32(data) ^ 1)).rejects.toBeInstanceOf(ChecksumMismatch);
        expect(await blobs.stat(name)).toBeUndefined();
        const again = await blobs.upload(name, data.length);
        expect(again.durableBytes).toBe(0);
        await again.close();
      });

      test('a commit before all bytes came', async () => {
        const data = random(1000);
        const upload = await blobs.upload(name, data.length);
        await upload.write(0, data.subarray(0, 999));
        await expect(upload.commit(crc32(data.subarray(0, 999)))).rejects.toBeInstanceOf(ChecksumMismatch);
        expect(await blobs.stat(name)).toBeUndefined();
      });

      test.each([
        '',
        '/',
        '/etc/passwd',
        '..',
        '../x',
        'runs/../../x',
        'runs/./x',
        'runs//x',
        'runs/x/',
        'runs\\x',
        'runs/x\0',
        'runs/ü',
        'runs/x y',
        'runs/~x',
        'a'.repeat(241),
      ])('the name %j', async (bad) => {
        await expect(blobs.upload(bad, 1)).rejects.toMatchObject({ code: expect.stringMatching(/^NAME_/) });
        await expect(blobs.read(bad)).rejects.toMatchObject({ code: expect.stringMatching(/^NAME_/) });
        await expect(blobs.stat(bad)).rejects.toMatchObject({ code: expect.stringMatching(/^NAME_/) });
        await expect(blobs.delete(bad)).rejects.toMatchObject({ code: expect.stringMatching(/^NAME_/) });
        await expect(blobs.deletePrefix(`${bad}/`)).rejects.toMatchObject({ code: expect.stringMatching(/^NAME_/) });
      });
    });

    describe('deleting', () => {
      test('a blob, and one that is not there', async () => {
        await store(name, random(10));
        await blobs.delete(name);
        await blobs.delete(name);
        expect(await blobs.stat(name)).toBeUndefined();
        await store(name, random(20));
        expect(await blobs.stat(name)).toEqual({ bytes: 20 });
      });

      test('a prefix takes its blobs and its uploads under way, and nothing beside it', async () => {
        const data = random(1000);
        for (const target of ['runs/r1/a', 'runs/r1/b/c', 'runs/r10/a', 'artifacts/0123']) await store(target, data);
        const underWay = await blobs.upload('runs/r1/d', data.length);
        await underWay.write(0, data.subarray(0, 500));
        const left = await blobs.upload('runs/r1/e', data.length);
        await left.write(0, data.subarray(0, 500));
        await left.close();
        await blobs.deletePrefix('runs/r1/');
        await blobs.deletePrefix('runs/nobody/');
        expect([...(await names('runs/')), ...(await names('artifacts/'))]).toEqual(['runs/r10/a', 'artifacts/0123']);
        await expect(underWay.write(500, data.subarray(500))).rejects.toBeInstanceOf(UploadSuperseded);
        for (const target of ['runs/r1/d', 'runs/r1/e']) {
          const again = await blobs.upload(target, data.length);
          expect(again.durableBytes).toBe(0);
          await again.close();
        }
        await store('runs/r1/a', data);
        expect(await names('runs/r1/')).toEqual(['runs/r1/a']);
      });

      test('a prefix needs its slash', async () => {
        await expect(blobs.deletePrefix('runs/r1')).rejects.toThrow(RangeError);
      });
    });

    test('blobs are listed by prefix with their sizes', async () => {
      for (const [target, bytes] of [
        ['runs/r1/b', 2],
        ['runs/r1/a/x', 1],
        ['runs/r2/a', 3],
      ] as const) {
        await store(target, random(bytes));
      }
      const found = [];
      for await (const blob of blobs.list('runs/r1/')) found.push(blob);
      expect(found).toEqual([
        { name: 'runs/r1/a/x', bytes: 1 },
        { name: 'runs/r1/b', bytes: 2 },
      ]);
      expect(await names('runs/none/')).toEqual([]);
    });

    test('check passes while the store is well, and not after close', async () => {
      await blobs.check();
      await blobs.close();
      await expect(blobs.check()).rejects.toThrow(/closed/);
      await expect(blobs.upload(name, 1)).rejects.toThrow(/closed/);
    });
  });
}

function random(bytes: number): Buffer {
  return randomFillSync(Buffer.alloc(bytes));
}
