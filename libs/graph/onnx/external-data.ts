/** Weights that lie in files beside the ONNX file. */
import { UnsupportedModel } from '../errors.js';
import type { OnnxTensor } from './proto.js';

/** The bytes of a file beside the ONNX file; undefined when there is none. */
export type ExternalFiles = (location: string) => Uint8Array | undefined;

const EXTERNAL = 1;

const failure = (tensor: OnnxTensor, problem: string, expected: string): UnsupportedModel =>
  new UnsupportedModel(`The tensor '${tensor.name ?? ''}' ${problem}`, { field: `tensor ${tensor.name ?? ''}`, expected });

/** The tensor with its bytes, wherever they lie. */
export function withExternalData(tensor: OnnxTensor, files: ExternalFiles | undefined): OnnxTensor {
  if (tensor.dataLocation !== EXTERNAL) return tensor;
  const entries = new Map((tensor.externalData ?? []).map(({ key, value }) => [key, value]));
  const location = entries.get('location') ?? '';
  if (files === undefined) {
    throw failure(
      tensor,
      `lies in another file, '${location}', and one file is all that there is`,
      'all tensors inside the ONNX file: export with external_data=False, or onnx.save_model(…, save_as_external_data=False)',
    );
  }
  if (!isPlain(location)) throw failure(tensor, `lies in the file '${location}'`, 'a file beside the ONNX file or below it');
  const bytes = files(location);
  if (bytes === undefined)
    throw failure(tensor, `lies in the file '${location}', which is not there`, 'the file beside the ONNX file');
  const offset = wholeNumber(entries.get('offset'), 0);
  const length = wholeNumber(entries.get('length'), bytes.length - offset);
  if (!(offset >= 0 && length >= 0 && offset + length <= bytes.length)) {
    throw failure(tensor, `lies outside of its file '${location}'`, `at most ${bytes.length} bytes`);
  }
  return { ...tensor, dataLocation: 0, rawData: bytes.subarray(offset, offset + length) };
}

/** A path that stays where it begins, on any system. */
const isPlain = (location: string): boolean =>
  location !== '' &&
  !/[\\:\0]/.test(location) &&
  location.split('/').every((part) => part !== '' && part !== '..' && part !== '.');

const wholeNumber = (text: string | undefined, byDefault: number): number =>
  text === undefined || text === '' ? byDefault : /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
