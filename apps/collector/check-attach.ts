import type { AttachRunRequest } from '#wire/generated/messages.js';
import { checkKey, checkName, checkText, refuse, textLimits } from './checks.js';

/** What this service gives has 43 characters; one that a job brings may be shorter, and must not be guessed. */
const secretPattern = /^[A-Za-z0-9_-]{32,128}$/;

/** Some optimizers are given each tensor as a group of its own. */
const maxOptimizerGroups = 10_000;

/** Refuses an announcement that cannot be taken as it is, naming the field. */
export function checkAttach(request: AttachRunRequest): void {
  checkKey(request.instanceId, 'instance_id');
  checkName(request.name, 'name');
  if (request.project !== '') checkName(request.project, 'project');
  checkText(request.framework, 'framework');
  checkText(request.optimizer?.name ?? '', 'optimizer.name');
  const groups = request.optimizer?.groups.length ?? 0;
  if (groups > maxOptimizerGroups) {
    refuse('INVALID_ARGUMENT', 'too many groups of parameters', {
      field: 'optimizer.groups',
      value: String(groups),
      expected: `at most ${maxOptimizerGroups}`,
    });
  }
  const tags = Object.entries(request.tags);
  if (tags.length > textLimits.tags) {
    refuse('INVALID_ARGUMENT', 'too many tags', {
      field: 'tags',
      value: String(tags.length),
      expected: `at most ${textLimits.tags}`,
    });
  }
  for (const [name, value] of tags) {
    checkName(name, 'tags');
    checkText(value, `tags["${name}"]`);
  }
  if (request.runSecret !== '' && !secretPattern.test(request.runSecret)) {
    refuse('INVALID_ARGUMENT', 'this is no secret of a run', {
      field: 'run_secret',
      expected: '32 to 128 random characters of [A-Za-z0-9_-]',
    });
  }
  if (request.joinAttempt !== undefined && request.resumeRunId === '') {
    refuse('INVALID_ARGUMENT', 'join_attempt needs the run that is joined', {
      field: 'resume_run_id',
      value: '',
      expected: 'a run id',
    });
  }
}
