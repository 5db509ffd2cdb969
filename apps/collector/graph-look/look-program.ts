/** The program that looks at models of strangers, in a process of its own: it may take long, or too much, and end. */
import { readFileSync } from 'node:fs';
import { GraphError } from '#graph/errors.js';
import { errorBody, StagewatchError } from '#runtime/errors.js';
import { dieWithParent } from '#runtime/processes/child-side.js';
import { codec } from '#wire/codec.js';
import { checkModel } from './check-model.js';
import { openRange, type FileRange } from './file-range.js';
import type { LookAnswer, LookRequest } from './messages.js';

dieWithParent();

process.on('message', (request: LookRequest) => void look(request).then((answer) => process.send?.(answer)));

async function look({ id, model, loss, files }: LookRequest): Promise<LookAnswer> {
  const opened: FileRange[] = [];
  const open = async (path: string): Promise<FileRange> => {
    const file = await openRange(path);
    opened.push(file);
    return file;
  };
  try {
    const checked = await checkModel(
      codec('ModelDescription').decode(model),
      loss === undefined ? null : codec('LossConvention').decode(loss),
      {
        graph: readFileSync(files.graph),
        train: await open(files.train),
        val: files.val === undefined ? undefined : await open(files.val),
      },
    );
    return { kind: 'taken', id, checked };
  } catch (error) {
    const told = error instanceof GraphError ? refusalOf(error) : error;
    if (told instanceof StagewatchError) return { kind: 'refused', id, body: errorBody(told) };
    return { kind: 'failed', id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  } finally {
    for (const file of opened) await file.close();
  }
}

function refusalOf(error: GraphError): StagewatchError {
  const { code, message, field, value, expected } = error;
  return new StagewatchError(code, message, {
    ...(field === undefined ? {} : { field }),
    ...(value === undefined ? {} : { value }),
    ...(expected === undefined ? {} : { expected }),
  });
}
