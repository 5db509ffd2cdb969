import type { AttachRunRequest } from '#wire/generated/messages.js';
import { checkKey, checkName, checkText, refuse, textLimits } from './checks.js';

/** Refuses an announcement that cannot be taken as it is, naming the field. */
export function checkAttach(request: AttachRunRequest): void {
  checkKey(request.instanceId, 'instance_id');
  checkName(request.name, 'name');
  if (request.project !== '') checkName(request.project, 'project');
  checkText(request.framework, 'framework');
  checkText(request.optimizer?.name ?? '', 'optimizer.name');
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
  if (request.joinAttempt !== undefined && request.resumeRunId === '') {
    refuse('INVALID_ARGUMENT', 'join_attempt needs the run that is joined', {
      field: 'resume_run_id',
      value: '',
      expected: 'a run id',
    });
  }
}
