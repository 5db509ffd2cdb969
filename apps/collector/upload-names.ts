import type { BlobHeader } from '#wire/generated/messages.js';
import { sha256Pattern } from '#wire/checksum.js';
import { checkKey, refuse } from './checks.js';
import type { Place } from './identity.js';

export const artifactName = (digest: string): string => `artifacts/${digest}`;

/** The name under which the server keeps an upload; the client's key is only its last part. */
export function blobName(header: BlobHeader, { runId, attempt, rank }: Place): string {
  switch (header.kind) {
    case 'BLOB_KIND_ARTIFACT':
      if (!sha256Pattern.test(header.key)) {
        refuse('NAME_INVALID', 'an artifact is known by its digest', {
          field: 'header.key',
          value: header.key,
          expected: 'a SHA-256 in 64 lower-case hex digits',
        });
      }
      return artifactName(header.key);
    case 'BLOB_KIND_SNAPSHOT':
    case 'BLOB_KIND_GRADIENT':
      checkKey(header.key, 'header.key');
      return `runs/${runId}/${attempt}.${rank}/${header.kind === 'BLOB_KIND_SNAPSHOT' ? 'snapshots' : 'gradients'}/${header.key}`;
    case 'BLOB_KIND_UNSPECIFIED':
    default:
      return refuse('INVALID_ARGUMENT', 'unknown kind of blob', {
        field: 'header.kind',
        value: header.kind,
        expected: 'BLOB_KIND_ARTIFACT, BLOB_KIND_SNAPSHOT or BLOB_KIND_GRADIENT',
      });
  }
}
