import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { faultOfName } from '#runtime/plain-text.js';
import type { FindingBody } from '#bus/messages.js';
import { globMatches } from './glob.js';

const severities = ['info', 'warning', 'critical'] as const;
const secretPrefix = 'whsec_';
const secretBytes = { min: 24, max: 64 };
const daySeconds = 24 * 60 * 60;

/** Standard Webhooks: `whsec_` and base64 of 24 to 64 bytes. */
const secret = z
  .string()
  .refine((text) => isSecret(text), `expected ${secretPrefix} and base64 of ${secretBytes.min} to ${secretBytes.max} bytes`);

const url = z
  .string()
  .max(2000, 'expected at most 2000 characters')
  .refine((text) => urlProblem(text) === undefined, {
    error: (issue) => urlProblem(String(issue.input)) ?? 'expected an address',
  });

export const ruleSchema = z.object({
  id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'expected 1 to 64 characters of A-Z a-z 0-9 _ -'),
  name: z
    .string()
    .trim()
    .min(1, 'expected a name')
    .max(200, 'expected at most 200 characters')
    .refine((name) => faultOfName(name) === undefined, 'expected a name that can be seen, without control characters'),
  /** Kinds of findings; none means all. */
  kinds: z.array(z.string().min(1).max(100)).max(100).default([]),
  minSeverity: z.enum(severities, `expected one of ${severities.join(', ')}`).default('warning'),
  /** A glob over the run's id, its name, or `project/name`. */
  runFilter: z.string().min(1, 'expected a glob, or * for all').max(200).default('*'),
  url,
  secret,
  /** After a delivery, the next one of the same run waits so long; what comes meanwhile travels with it. */
  throttleSeconds: z.number('expected seconds').min(0).max(daySeconds).default(60),
  /** After the first finding, so long is waited for others of the same run. */
  groupSeconds: z.number('expected seconds').min(0).max(daySeconds).default(5),
  enabled: z.boolean('expected true or false').default(true),
});

export interface Rule extends z.output<typeof ruleSchema> {
  /** Why the service itself switched it off. */
  readonly disabledReason?: string;
}

/** A rule as it is shown: the secret stays inside. */
export type RuleView = Omit<Rule, 'secret'>;

export function viewOf(rule: Rule): RuleView {
  const { secret: _, ...view } = rule;
  return view;
}

export function newSecret(): string {
  return secretPrefix + randomBytes(32).toString('base64');
}

export function secretKey(text: string): Buffer {
  return Buffer.from(text.slice(secretPrefix.length), 'base64');
}

export function ruleMatches(rule: Rule, finding: FindingBody): boolean {
  return (
    rule.enabled &&
    (rule.kinds.length === 0 || rule.kinds.includes(finding.kind)) &&
    severities.indexOf(finding.severity) >= severities.indexOf(rule.minSeverity) &&
    [finding.run, finding.runName, `${finding.project}/${finding.runName}`].some((text) => globMatches(rule.runFilter, text))
  );
}

function isSecret(text: string): boolean {
  if (!text.startsWith(secretPrefix) || !/^[A-Za-z0-9+/]+={0,2}$/.test(text.slice(secretPrefix.length))) return false;
  const bytes = secretKey(text).length;
  return bytes >= secretBytes.min && bytes <= secretBytes.max;
}

function urlProblem(text: string): string | undefined {
  if (!URL.canParse(text)) return 'expected an address like https://example.org/hook';
  const { protocol, username, password } = new URL(text);
  if (protocol !== 'https:' && protocol !== 'http:') return 'expected http or https';
  if (username !== '' || password !== '') return 'expected an address without user name and password';
  return undefined;
}
