import { createHash } from 'node:crypto';
import type { FindingBody } from '#bus/messages.js';

interface Alert {
  readonly status: 'firing';
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly generatorURL: string;
  readonly fingerprint: string;
}

/** How Alertmanager writes "has not ended". */
const never = '0001-01-01T00:00:00Z';

export interface BodyOf {
  readonly rule: { readonly id: string; readonly name: string };
  readonly run: string;
  readonly findings: readonly FindingBody[];
  /** Findings that nobody will be told of, since too many waited. */
  readonly leftOut?: number;
  /** Address of the page, without a slash at the end. */
  readonly externalUrl: string;
}

/** The webhook body of Alertmanager, version 4, so that receivers made for it work. The same input gives the same bytes. */
export function webhookBody({ rule, run, findings, externalUrl, leftOut = 0 }: BodyOf): string {
  const alerts = findings.map((finding) => alertOf(finding, externalUrl));
  return JSON.stringify({
    version: '4',
    groupKey: `{}/{rule="${rule.id}"}:{run="${run}"}`,
    truncatedAlerts: leftOut,
    status: 'firing',
    receiver: rule.name,
    groupLabels: { run },
    commonLabels: common(alerts.map((alert) => alert.labels)),
    commonAnnotations: common(alerts.map((alert) => alert.annotations)),
    externalURL: externalUrl,
    alerts,
  });
}

function alertOf(finding: FindingBody, externalUrl: string): Alert {
  return {
    status: 'firing',
    labels: {
      alertname: finding.kind,
      severity: finding.severity,
      project: finding.project,
      run: finding.run,
      run_name: finding.runName,
      attempt: String(finding.attempt),
      ...(finding.from !== undefined && { from: finding.from }),
      ...(finding.to !== undefined && { to: finding.to }),
      ...(finding.detail !== undefined && { detail: finding.detail }),
      ...(finding.provisional && { provisional: 'true' }),
    },
    annotations: {
      summary: finding.text,
      step: String(finding.step),
      onset: String(finding.onset),
      finding: finding.id,
      evidence: JSON.stringify(finding.evidence),
    },
    startsAt: new Date(finding.timeMs).toISOString(),
    endsAt: never,
    generatorURL: `${externalUrl}/runs/${encodeURIComponent(finding.run)}`,
    fingerprint: createHash('sha256').update(finding.id).digest('hex').slice(0, 16),
  };
}

function common(all: readonly Readonly<Record<string, string>>[]): Record<string, string> {
  const [first, ...rest] = all;
  return Object.fromEntries(Object.entries(first ?? {}).filter(([key, value]) => rest.every((other) => other[key] === value)));
}
