import type { ServerResponse } from 'node:http';
import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { errorBody, errorCodes, StagewatchError, type ErrorCode } from '#runtime/errors.js';
import type { Logger } from '#runtime/logging.js';
import { sendJson } from './send.js';

/** Every error leaves as an `ErrorBody` with the status of its code. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  constructor(private readonly logger: Logger) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<ServerResponse>();
    const known = translate(error);
    if (known === undefined) this.logger.error({ err: error }, 'a request failed');
    if (response.headersSent) {
      // Too late for a status: breaking off tells the client that the answer is not whole.
      response.destroy();
      return;
    }
    const body = errorBody(known);
    if (body.retryAfterMs !== undefined) response.setHeader('retry-after', Math.ceil(body.retryAfterMs / 1000));
    sendJson(response, errorCodes[body.code].http, body);
  }
}

/** Undefined for what is our own fault. */
function translate(error: unknown): StagewatchError | undefined {
  if (error instanceof StagewatchError) return error;
  const status = error instanceof HttpException ? error.getStatus() : httpStatus(error);
  const code = status === undefined ? undefined : codeOfStatus(status);
  const message = error instanceof Error ? error.message : 'The request could not be read.';
  return code === undefined ? undefined : new StagewatchError(code, message, {}, error);
}

/** Errors of the body parser and of the router carry their status. */
function httpStatus(error: unknown): number | undefined {
  if (error instanceof URIError) return 400;
  const status = (error as { status?: unknown } | null)?.status;
  return typeof status === 'number' ? status : undefined;
}

function codeOfStatus(status: number): ErrorCode | undefined {
  if (status === 404) return 'NOT_FOUND';
  if (status === 413) return 'MESSAGE_TOO_LARGE';
  if (status === 403) return 'FORBIDDEN';
  return status >= 400 && status < 500 ? 'MALFORMED_MESSAGE' : undefined;
}
