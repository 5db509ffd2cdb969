import { sha256 } from '#wire/checksum.js';
import type { IngestClient } from '#wire/client.js';
import { readRefusal, type Refusal } from '#wire/status.js';
import type { SenderModel, SenderProbeSet } from './messages.js';
import { uploadBlob } from './upload.js';

const deadlineMs = 60_000;

/**
 * Uploads what the service lacks of a model and its probe sets, and describes it. Answers why the model was refused, if
 * it was; rejects when it is worth trying again.
 */
export async function describeModel(
  client: IngestClient,
  place: { readonly runId: string; readonly attempt: number; readonly instanceId: string },
  model: SenderModel,
  options: { readonly chunkBytes: number; readonly idleMs: number },
): Promise<Refusal | undefined> {
  const files = new Map<string, Buffer>();
  const digestOf = (bytes: Uint8Array): string => {
    const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const digest = sha256(file);
    files.set(digest, file);
    return digest;
  };
  const probeSet = ({ file, examples, classNames }: SenderProbeSet) => ({ digest: digestOf(file), examples, classNames });
  const request = {
    ...place,
    model: {
      format: model.format,
      graphDigest: digestOf(model.graph),
      parameters: model.parameters,
      train: probeSet(model.train),
      ...(model.val === undefined ? {} : { val: probeSet(model.val) }),
      referenceLoss: model.referenceLoss,
      referenceGradientNorm: model.referenceGradientNorm,
      referenceStep: model.referenceStep,
    },
  };
  try {
    const { missingDigests } = await client.describeModel(request, deadlineMs);
    for (const key of missingDigests) {
      await uploadBlob(client, { ...place, kind: 'BLOB_KIND_ARTIFACT', key }, files.get(key)!, options);
    }
    if (missingDigests.length > 0) await client.describeModel(request, deadlineMs);
    return undefined;
  } catch (error) {
    const refusal = readRefusal(error);
    if (refusal.retryable) throw error;
    return refusal;
  }
}
