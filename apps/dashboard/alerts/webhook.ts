import { request as requestHttp, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import type { Outcome } from '#runtime/retry.js';
import { stopSignal } from '#runtime/stop-signal.js';
import { checkedAddresses, type Resolve, type ResolvedAddress } from './address-guard.js';

/** From the first name look-up to the status line. */
const timeoutMs = 15_000;
/** Answers are not read for their content: they may end by themselves within these bounds, and are cut off then. */
const maxAnswerBytes = 64 * 1024;
const maxAnswerMs = 1000;
const maxRetryAfterMs = 24 * 60 * 60 * 1000;

export interface WebhookRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
}

/** `failure`: the receiver has gone for good (410). Everything else that is no success is worth another try. */
export type Send = (request: WebhookRequest) => Promise<Outcome<Answer> & { readonly status?: number }>;

export interface WebhookOptions {
  readonly allowPrivate: boolean;
  readonly resolve?: Resolve;
  readonly timeoutMs?: number;
}

/** One POST, without redirects, to a checked address. Whatever the receiver does, it is over in time. */
export function createWebhook(options: WebhookOptions): Send {
  return async ({ url, headers, body, signal }) => {
    const stop = stopSignal([signal], options.timeoutMs ?? timeoutMs);
    const deliver = async (): Promise<IncomingMessage> => {
      const target = new URL(url);
      const addresses = await checkedAddresses(target.hostname, options.allowPrivate, options.resolve);
      return post(target, addresses, headers, body, stop.signal);
    };
    try {
      return judge(await unlessAborted(deliver(), stop.signal));
    } catch (error) {
      return { kind: 'retryable', error: stop.isLate ? new Error('no answer in time') : error };
    } finally {
      stop.end();
    }
  };
}

function judge(answer: IncomingMessage): Awaited<ReturnType<Send>> {
  const status = answer.statusCode ?? 0;
  if (status >= 200 && status < 300) return { kind: 'success', value: { status }, status };
  if (status === 410) return { kind: 'failure', error: new Error('the receiver is gone (410)'), status };
  const redirect = status >= 300 && status < 400 ? '; redirects are not followed' : '';
  const error = new Error(`the receiver answered ${status}${redirect}`);
  const afterMs = retryAfterMs(answer.headers['retry-after'], Date.now());
  return { kind: 'retryable', error, status, ...(afterMs === undefined ? {} : { afterMs }) };
}

/** Seconds, or a date. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), maxRetryAfterMs) : undefined;
}

function post(
  target: URL,
  addresses: readonly ResolvedAddress[],
  headers: Readonly<Record<string, string>>,
  body: string,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const bytes = Buffer.from(body);
    const options: RequestOptions = {
      method: 'POST',
      // A connection of its own: a kept one would have been checked for somebody else.
      agent: false,
      lookup: answering(addresses),
      headers: { 'content-type': 'application/json', 'content-length': bytes.length, 'user-agent': 'stagewatch', ...headers },
    };
    const request = target.protocol === 'https:' ? requestHttps(target, options) : requestHttp(target, options);
    const abort = (): void => void request.destroy(signal.reason as Error);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    request.on('error', reject);
    // Hung up, or an answer in another protocol: no error comes then.
    request.once('close', () => reject(new Error('the receiver hung up without an answer')));
    request.once('response', (answer) => {
      signal.removeEventListener('abort', abort);
      letEnd(answer);
      // The status is the answer; whether the rest comes whole does not matter.
      resolve(answer);
    });
    request.end(bytes);
  });
}

/** Lets an answer come to its end, so that the receiver sees no broken connection, but not at any cost. */
function letEnd(answer: IncomingMessage): void {
  const timer = setTimeout(() => answer.destroy(), maxAnswerMs);
  let read = 0;
  answer.on('data', (chunk: Buffer) => {
    read += chunk.length;
    if (read > maxAnswerBytes) answer.destroy();
  });
  answer.once('error', () => answer.destroy());
  answer.once('close', () => clearTimeout(timer));
}

/** A name look-up that knows only what was checked. */
function answering(addresses: readonly ResolvedAddress[]): LookupFunction {
  return (_host, options, callback) => {
    const wanted = addresses.filter(({ family }) =>
      options.family !== 4 && options.family !== 6 ? true : family === options.family,
    );
    const [first] = wanted;
    if (first === undefined) callback(new Error('no address of the wanted family'), '', 4);
    else if (options.all === true) callback(null, [...wanted]);
    else callback(null, first.address, first.family);
  };
}

/** Not all work can be broken off, a name look-up for one; one can stop waiting for it. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason as Error);
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
