import type { IngestClient } from '#wire/client.js';
import type { AttachRunResponse } from '#wire/generated/messages.js';
import type { Refusal } from '#wire/status.js';
import type { SenderOptions } from './messages.js';
import { RunSecrets } from './run-secrets.js';

const callDeadlineMs = 20_000;
/** A run that should count as lost by now may do so a little later: the service looks now and then. */
const takenGraceMs = 30_000;

/** Announces the run, with the secret that shows whose it is. */
export class Attaching {
  private readonly secrets: RunSecrets;
  private takenUntilMs: number | undefined;

  constructor(
    private readonly options: Pick<SenderOptions, 'attach' | 'secretFolder'>,
    private readonly warn: (text: string) => void,
  ) {
    this.secrets = new RunSecrets(options.secretFolder);
  }

  async attach(client: IngestClient): Promise<AttachRunResponse> {
    const { attach } = this.options;
    const { resumeRunId = '', runSecret = '' } = attach;
    // On every try: the first rank may not have had its answer before.
    const shown = runSecret === '' ? await this.secrets.recall(resumeRunId) : runSecret;
    const attached = await client.attachRun({ ...attach, runSecret: shown }, callDeadlineMs);
    if (attached.runSecret !== '') await this.keep(attached);
    return attached;
  }

  /** Whether a run that is taken may be free in a while: when its job is dead, the service will soon count it as lost. */
  mayBecomeFree({ code, retryAfterMs = 0 }: Refusal): boolean {
    if (code !== 'RUN_TAKEN') return false;
    this.takenUntilMs ??= Date.now() + retryAfterMs + takenGraceMs;
    return Date.now() < this.takenUntilMs;
  }

  private async keep({ runId, runSecret }: AttachRunResponse): Promise<void> {
    try {
      await this.secrets.keep(runId, runSecret);
    } catch (error) {
      this.warn(
        `the secret of this run could not be kept (${String(error)}); a next attempt must wait until this one has ended or counts as lost`,
      );
    }
  }
}
