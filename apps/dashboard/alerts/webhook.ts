import { request as requestHttp, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import type { Outcome } from '#runtime/retry.js';
import { checkedAddresses, type Resolve, type ResolvedAddress } from './address-guard.js';

/** From the first name look-up to the end of the answer. */
const timeoutMs = 15_000;
/** Answers are not read for their content; more than this is not read at all. */
const maxAnswerBytes = 64 * 1024;
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

/** One POST, without redirects, to a checked address. */
export function createWebhook(options: WebhookOptions): Send {
  return async ({ url, headers, body, signal }) => {
    const stop = AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs ?? timeoutMs)]);
    try {
      const target = new URL(url);
      const addresses = await unlessAborted(checkedAddresses(target.hostname, options.allowPrivate, options.resolve), stop);
      return judge(await post(target, addresses, headers, body, stop));
    } catch (error) {
      return { kind: 'retryable', error: stop.aborted && !signal.aborted ? new Error('no answer in time') : error };
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
      signal,
      lookup: answering(addresses),
      headers: { 'content-type': 'application/json', 'content-length': bytes.length, 'user-agent': 'stagewatch', ...headers },
    };
    const request = target.protocol === 'https:' ? requestHttps(target, options) : requestHttp(target, options);
    request.once('error', reject);
    request.once('response', (answer) => {
      let read = 0;
      answer.on('data', (chunk: Buffer) => {
        read += chunk.length;
        if (read > maxAnswerBytes) answer.destroy();
      });
      // The status is the answer; whether the rest came whole does not matter.
      answer.once('error', () => resolve(answer));
      answer.once('close', () => resolve(answer));
    });
    request.end(bytes);
  });
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

/** A name look-up cannot be broken off; one can stop waiting for it. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason as Error);
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
