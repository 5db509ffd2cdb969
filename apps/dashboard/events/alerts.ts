import type { FindingBody } from '#bus/messages.js';

/** One rule of `GET /api/alerts/rules`; the secret is shown once, in the answer to the `PUT` that made it. */
export interface AlertRuleBody {
  readonly id: string;
  readonly name: string;
  /** None means all. */
  readonly kinds: readonly string[];
  readonly minSeverity: FindingBody['severity'];
  readonly runFilter: string;
  readonly url: string;
  readonly throttleSeconds: number;
  readonly groupSeconds: number;
  readonly enabled: boolean;
  readonly disabledReason?: string;
  readonly secret?: string;
  /** In the list: how it goes with the receiver. */
  readonly receiver?: AlertReceiverBody;
}

export interface AlertReceiverBody {
  /** Findings that wait for it. */
  readonly waiting: number;
  /** Since when every try has failed, and how the newest did; left out while it is well. */
  readonly failingSinceMs?: number;
  readonly error?: string;
  readonly deliveredMs?: number;
}

/** One of `GET /api/alerts/deliveries`, the newest first. */
export interface AlertDeliveryBody {
  readonly id: string;
  readonly rule: string;
  readonly ruleName: string;
  readonly run: string;
  readonly runName: string;
  readonly project: string;
  readonly createdMs: number;
  readonly state: 'pending' | 'delivered' | 'failed' | 'cancelled';
  readonly tries: readonly {
    readonly timeMs: number;
    readonly outcome: string;
    readonly status?: number;
    readonly error?: string;
  }[];
  readonly nextTryMs?: number;
  readonly reason?: string;
  readonly findings: readonly Pick<FindingBody, 'id' | 'kind' | 'severity' | 'step' | 'text'>[];
}

export interface AlertRulesAnswer {
  readonly rules: readonly AlertRuleBody[];
}
export interface AlertRuleAnswer {
  readonly rule: AlertRuleBody;
}
export interface AlertDeliveriesAnswer {
  readonly deliveries: readonly AlertDeliveryBody[];
}
/** `POST /api/alerts/rules/:id/test` */
export interface AlertTestAnswer {
  readonly delivered: boolean;
  readonly status?: number;
  readonly error?: string;
}
