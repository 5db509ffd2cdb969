import { createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

export const sessionCookie = 'stagewatch_session';

const sessionSeconds = 7 * 24 * 60 * 60;
const sessionIdBytes = 32;
/** The oldest goes when there are more; a person has a few. */
const maxSessions = 1000;

/**
 * Browsers that showed the token once. A session is random, ends after a week, when it is logged out and when the service
 * ends; nothing of it is stored but a digest.
 */
export class Sessions {
  private readonly open = new Map<string, { readonly endsAtMs: number; readonly timer: NodeJS.Timeout }>();
  private readonly listeners = new Set<(session: string) => void>();

  constructor(
    private readonly isSecure: boolean,
    private readonly nowMs: () => number = Date.now,
  ) {}

  /** The `Set-Cookie` that begins a session. */
  begin(): string {
    const id = randomBytes(sessionIdBytes).toString('base64url');
    const oldest = this.open.size < maxSessions ? undefined : this.open.keys().next().value;
    if (oldest !== undefined) this.end(oldest);
    const session = digest(id);
    // What is open on behalf of it ends in time too, though nobody asks.
    const timer = setTimeout(() => this.end(session), sessionSeconds * 1000).unref();
    this.open.set(session, { endsAtMs: this.nowMs() + sessionSeconds * 1000, timer });
    return this.setCookie(id, sessionSeconds);
  }

  /** The session that a request belongs to. It is found by its digest, so that no comparison tells how far a guess was right. */
  of(request: IncomingMessage): string | undefined {
    const id = cookie(request, sessionCookie);
    if (id === undefined) return undefined;
    const session = digest(id);
    return this.isOpen(session) ? session : undefined;
  }

  private isOpen(session: string): boolean {
    const found = this.open.get(session);
    if (found === undefined) return false;
    if (this.nowMs() < found.endsAtMs) return true;
    this.end(session);
    return false;
  }

  end(session: string): void {
    const found = this.open.get(session);
    if (found === undefined) return;
    this.open.delete(session);
    clearTimeout(found.timer);
    for (const tell of this.listeners) tell(session);
  }

  close(): void {
    for (const { timer } of this.open.values()) clearTimeout(timer);
    this.open.clear();
  }

  /** What is open on behalf of a session ends with it. */
  onEnd(listener: (session: string) => void): void {
    this.listeners.add(listener);
  }

  /** The `Set-Cookie` that makes a browser forget. */
  forget(): string {
    return this.setCookie('', 0);
  }

  private setCookie(value: string, maxAgeSeconds: number): string {
    const secure = this.isSecure ? '; Secure' : '';
    return `${sessionCookie}=${value}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Strict${secure}`;
  }
}

function digest(id: string): string {
  return createHash('sha256').update(id).digest('base64url');
}

function cookie(request: IncomingMessage, name: string): string | undefined {
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const [key, value] = part.trim().split('=');
    if (key === name) return value;
  }
  return undefined;
}
