import { Root } from 'protobufjs';
import type { ErrorBody } from '#runtime/errors.js';

/**
 * The well-known messages of `google.rpc`, as far as they are used: what `grpcurl` and client libraries show of
 * `grpc-status-details-bin`. Written out here because no package that is installed carries them.
 */
const descriptors = {
  nested: {
    google: {
      nested: {
        rpc: {
          nested: {
            Status: {
              fields: {
                code: { type: 'int32', id: 1 },
                message: { type: 'string', id: 2 },
                details: { rule: 'repeated', type: 'Any', id: 3 },
              },
            },
            Any: { fields: { typeUrl: { type: 'string', id: 1 }, value: { type: 'bytes', id: 2 } } },
            ErrorInfo: {
              fields: {
                reason: { type: 'string', id: 1 },
                domain: { type: 'string', id: 2 },
                metadata: { keyType: 'string', type: 'string', id: 3 },
              },
            },
            BadRequest: { fields: { fieldViolations: { rule: 'repeated', type: 'FieldViolation', id: 1 } } },
            FieldViolation: { fields: { field: { type: 'string', id: 1 }, description: { type: 'string', id: 2 } } },
            RetryInfo: { fields: { retryDelay: { type: 'Duration', id: 1 } } },
            Duration: { fields: { seconds: { type: 'int64', id: 1 }, nanos: { type: 'int32', id: 2 } } },
          },
        },
      },
    },
  },
};
const root = Root.fromJSON(descriptors);

function encode(name: string, fields: object): Uint8Array {
  return root.lookupType(`google.rpc.${name}`).encode(fields).finish();
}

const any = (name: string, fields: object): object => ({
  typeUrl: `type.googleapis.com/google.rpc.${name}`,
  value: encode(name, fields),
});

/** A serialized `google.rpc.Status`. */
export function statusDetails(grpcCode: number, body: ErrorBody): Buffer {
  const details = [
    any('ErrorInfo', {
      reason: body.code,
      domain: 'stagewatch',
      metadata: body.value === undefined ? {} : { value: body.value },
    }),
  ];
  if (body.field !== undefined) {
    const description = [body.message, body.expected === undefined ? '' : `expected ${body.expected}`].filter(Boolean).join('; ');
    details.push(any('BadRequest', { fieldViolations: [{ field: body.field, description }] }));
  }
  if (body.retryAfterMs !== undefined) {
    const seconds = Math.floor(body.retryAfterMs / 1000);
    details.push(any('RetryInfo', { retryDelay: { seconds, nanos: (body.retryAfterMs % 1000) * 1e6 } }));
  }
  return Buffer.from(encode('Status', { code: grpcCode, message: body.message, details }));
}
