import type { IncomingMessage, ServerResponse } from 'node:http';
import { Controller, Delete, Get, Inject, Req, Res } from '@nestjs/common';
import type { SessionAnswer } from '../events/http.js';
import { SESSIONS } from '../options.js';
import { sendJson } from './send.js';
import type { Sessions } from './sessions.js';

/** The session of the browser that asks. It begins where the page is opened with the token. */
@Controller('api/session')
export class SessionController {
  constructor(@Inject(SESSIONS) private readonly sessions: Sessions) {}

  @Get()
  get(@Req() request: IncomingMessage, @Res() response: ServerResponse): void {
    const body: SessionAnswer = { session: this.sessions.of(request) !== undefined };
    sendJson(response, 200, body);
  }

  /** Logs out. */
  @Delete()
  delete(@Req() request: IncomingMessage, @Res() response: ServerResponse): void {
    const session = this.sessions.of(request);
    if (session !== undefined) this.sessions.end(session);
    response.setHeader('set-cookie', this.sessions.forget());
    response.statusCode = 204;
    response.end();
  }
}
