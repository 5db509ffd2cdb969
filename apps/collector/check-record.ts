import { checkLayout } from '#wire/tensors.js';
import type { Gradient, GradientSketch, Record as WireRecord, ScalarBatch, Snapshot } from '#wire/generated/messages.js';
import { checkName, checkText, refuse, textLimits } from './checks.js';

/** What earlier records of the same (attempt, rank) allow. */
export interface RecordContext {
  readonly runId: string;
  /** Newest step so far. */
  readonly step: number;
  readonly isKnownMetric: (name: string) => boolean;
  /** Bytes of a complete blob; undefined when there is none of that name. */
  readonly blobBytes: (name: string) => Promise<number | undefined>;
}

/** Snapshots that one gap may say will not come. */
const maxWithdrawn = 4096;
const endStatuses = ['finished', 'failed', 'interrupted'];

/** Refuses a record that cannot be stored, naming the field. `at` is its place, as the sender wrote it. */
export async function checkRecord(record: Readonly<WireRecord>, at: string, context: RecordContext): Promise<void> {
  if (record.step < context.step) {
    refuse('STEP_BACKWARDS', `the step went back from ${context.step} to ${record.step}`, {
      field: `${at}.step`,
      value: String(record.step),
      expected: `${context.step} or more within one attempt`,
    });
  }
  switch (record.body) {
    case 'scalars':
      return checkScalars(record.scalars!, record.step, `${at}.scalars`, context);
    case 'snapshot':
      if (record.snapshot!.step > record.step) {
        refuse('INVALID_ARGUMENT', 'a snapshot is newer than its record', {
          field: `${at}.snapshot.step`,
          value: String(record.snapshot!.step),
          expected: `at most ${record.step}, the step of the record`,
        });
      }
      return checkTensors(record.snapshot!, `${at}.snapshot`, context);
    case 'gradient':
      return checkTensors(record.gradient!, `${at}.gradient`, context);
    case 'sketch':
      return checkSketch(record.sketch!, `${at}.sketch`);
    case 'gap': {
      const { firstSequence, lastSequence, reason } = record.gap!;
      checkText(reason, `${at}.gap.reason`, textLimits.reasonBytes);
      if (record.gap!.taken.length > maxWithdrawn) {
        refuse('INVALID_ARGUMENT', 'the gap names too many snapshots', {
          field: `${at}.gap.taken`,
          value: String(record.gap!.taken.length),
          expected: `at most ${maxWithdrawn}`,
        });
      }
      if (firstSequence > lastSequence) {
        refuse('INVALID_ARGUMENT', 'the gap ends before it begins', {
          field: `${at}.gap.last_sequence`,
          value: String(lastSequence),
          expected: `${firstSequence} or more`,
        });
      }
      return;
    }
    case 'taken':
      return checkText(record.taken!.reason, `${at}.taken.reason`, textLimits.reasonBytes);
    case 'heartbeat':
      return;
    case 'end': {
      const { status, message } = record.end!;
      if (!endStatuses.includes(status)) {
        refuse('INVALID_ARGUMENT', 'unknown end status', {
          field: `${at}.end.status`,
          value: status,
          expected: endStatuses.join(', '),
        });
      }
      if (message.length > 2000) {
        refuse('NAME_TOO_LONG', 'the end message is too long', {
          field: `${at}.end.message`,
          expected: 'at most 2000 characters',
        });
      }
      return;
    }
    case undefined:
      refuse('INVALID_ARGUMENT', 'the record has no body that this service knows', {
        field: at,
        expected: 'scalars, snapshot, taken, gradient, sketch, gap, heartbeat or end',
      });
  }
}

function checkScalars(batch: ScalarBatch, newest: number, at: string, context: RecordContext): void {
  const { names, nameIndex, steps, values } = batch;
  for (const [i, name] of names.entries()) {
    if (!context.isKnownMetric(name)) checkName(name, `${at}.names[${i}]`);
  }
  if (nameIndex.length !== values.length || steps.length !== values.length) {
    refuse('INVALID_ARGUMENT', 'the columns differ in length', {
      field: at,
      value: `${nameIndex.length} name_index, ${steps.length} steps, ${values.length} values`,
      expected: 'three columns of equal length',
    });
  }
  for (let i = 0; i < values.length; i++) {
    if (nameIndex[i]! >= names.length) {
      refuse('INVALID_ARGUMENT', 'a point has no name', {
        field: `${at}.name_index[${i}]`,
        value: String(nameIndex[i]),
        expected: `below ${names.length}, the number of names`,
      });
    }
    if (steps[i]! > newest) {
      refuse('INVALID_ARGUMENT', 'a point is newer than its record', {
        field: `${at}.steps[${i}]`,
        value: String(steps[i]),
        expected: `at most ${newest}, the step of the record`,
      });
    }
  }
}

const sketchMethods = ['gaussian', 'count-sketch'];
const maxSketchValues = 65_536;

function checkSketch({ method, parameters, values }: GradientSketch, at: string): void {
  if (!sketchMethods.includes(method)) {
    refuse('INVALID_ARGUMENT', 'unknown method of a sketch', {
      field: `${at}.method`,
      value: method.slice(0, 100),
      expected: sketchMethods.join(', '),
    });
  }
  const most = Math.min(maxSketchValues, parameters);
  if (values.length === 0 || values.length > most) {
    refuse('SHAPE_MISMATCH', 'wrong number of values in a sketch', {
      field: `${at}.values`,
      value: String(values.length),
      expected: `1 to ${most}, and fewer than parameters`,
    });
  }
}

const layoutCodes = { dtype: 'UNKNOWN_DTYPE', shape: 'SHAPE_MISMATCH', range: 'SHAPE_MISMATCH', name: 'NAME_INVALID' } as const;

async function checkTensors(of: Snapshot | Gradient, at: string, context: RecordContext): Promise<void> {
  const { blob, tensors } = of;
  if ('reason' in of) checkText(of.reason, `${at}.reason`, textLimits.reasonBytes);
  if (tensors.length === 0 || tensors.length > textLimits.tensors) {
    refuse('INVALID_ARGUMENT', 'wrong number of tensors', {
      field: `${at}.tensors`,
      value: String(tensors.length),
      expected: `1 to ${textLimits.tensors}`,
    });
  }
  for (const [i, { name }] of tensors.entries()) checkName(name, `${at}.tensors[${i}].name`);
  // Blobs of one run are never seen by another.
  const bytes = blob.startsWith(`runs/${context.runId}/`) ? await context.blobBytes(blob) : undefined;
  if (bytes === undefined) {
    refuse('BLOB_MISSING', 'the record refers to a blob that was not uploaded by this run', {
      field: `${at}.blob`,
      value: blob,
      expected: 'a name that UploadBlob answered',
    });
  }
  const fault = checkLayout(tensors, bytes);
  if (fault !== undefined) {
    refuse(layoutCodes[fault.kind], `tensor ${fault.index} does not fit`, {
      field: `${at}.tensors[${fault.index}].${fault.field}`,
      value: fault.value,
      expected: fault.expected,
    });
  }
}
