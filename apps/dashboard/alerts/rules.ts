import type { Bus, KeyValue } from '#bus/bus.js';
import { findingKinds } from '#bus/finding-kinds.js';
import { decodeJson, encodeJson } from '#bus/messages.js';
import { StagewatchError } from '#runtime/errors.js';
import { nearestName } from '#runtime/nearest-name.js';
import { newId } from '#runtime/ids.js';
import { parse } from '../http/parse.js';
import { isPublicAddress, literalAddress } from './address-guard.js';
import type { ReceiverState } from './receiver-lane.js';
import { newSecret, ruleSchema, viewOf, type Rule, type RuleView } from './rule.js';

const maxRules = 500;

export interface RulesOptions {
  readonly bus: Bus;
  readonly allowPrivate: boolean;
  /** A rule is new, different, switched off or gone. */
  readonly changed: (id: string) => void;
  readonly receiver: (id: string) => ReceiverState;
}

/** The rules, durable in the bus and at hand in memory. */
export class Rules {
  private readonly kv: KeyValue;
  private readonly known = new Map<string, Rule>();

  constructor(private readonly options: RulesOptions) {
    this.kv = options.bus.kv('alert-rules');
  }

  async start(): Promise<void> {
    for await (const { key, value } of this.kv.entries()) this.known.set(key, decodeJson<Rule>(value));
  }

  all(): Iterable<Rule> {
    return this.known.values();
  }

  get(id: string): Rule | undefined {
    return this.known.get(id);
  }

  /** With how it goes with the receiver of each. */
  list(): Promise<readonly (RuleView & { readonly receiver: ReceiverState })[]> {
    const views = Array.from(this.known.values(), (rule) => ({ ...viewOf(rule), receiver: this.options.receiver(rule.id) }));
    return Promise.resolve(views.sort((a, b) => a.name.localeCompare(b.name)));
  }

  /**
   * Makes or replaces a rule. Without an id one is made; without a secret the old one stays, or one is made, and then the
   * answer shows it, this once.
   */
  async put(given: unknown): Promise<RuleView & { readonly secret?: string }> {
    const fields = typeof given === 'object' && given !== null ? (given as Record<string, unknown>) : {};
    const id = fields['id'] ?? newId('alert').slice(0, 40);
    const old = typeof id === 'string' ? this.known.get(id) : undefined;
    const made = fields['secret'] === undefined && old === undefined ? newSecret() : undefined;
    const secret = fields['secret'] ?? old?.secret ?? made;
    const rule: Rule = parse(ruleSchema, { ...fields, id, secret }, 'rule');
    assertKinds(rule.kinds);
    this.assertPublic(rule.url);
    if (old === undefined && this.known.size >= maxRules) {
      throw new StagewatchError('INVALID_ARGUMENT', `there are ${maxRules} rules already`, { field: 'rule' });
    }
    await this.save(rule);
    return made === undefined ? viewOf(rule) : { ...viewOf(rule), secret: made };
  }

  async delete(id: string): Promise<boolean> {
    const existed = this.known.delete(id);
    await this.kv.delete(id);
    this.options.changed(id);
    return existed;
  }

  async disable(id: string, disabledReason: string): Promise<void> {
    const rule = this.known.get(id);
    if (rule !== undefined) await this.save({ ...rule, enabled: false, disabledReason });
  }

  private async save(rule: Rule): Promise<void> {
    await this.kv.put(rule.id, encodeJson(rule));
    this.known.set(rule.id, rule);
    this.options.changed(rule.id);
  }

  /** What can be known now; names are looked up when something is sent. */
  private assertPublic(url: string): void {
    const { hostname } = new URL(url);
    const literal = literalAddress(hostname);
    const isPrivate = literal === undefined ? /(^|\.)localhost\.?$/i.test(hostname) : !isPublicAddress(literal);
    if (!isPrivate || this.options.allowPrivate) return;
    const expected = 'a public address, or STAGEWATCH_ALERTS_ALLOW_PRIVATE=true';
    throw new StagewatchError('INVALID_ARGUMENT', `rule.url: expected ${expected}`, {
      field: 'rule.url',
      value: hostname,
      expected,
    });
  }
}

/** A rule for a kind that is never found would be silent for ever. */
function assertKinds(kinds: readonly string[]): void {
  const known: readonly string[] = findingKinds;
  const unknown = kinds.find((kind) => !known.includes(kind));
  if (unknown === undefined) return;
  throw new StagewatchError(
    'UNKNOWN_KIND',
    `rule.kinds: there is no finding '${unknown}'; did you mean '${nearestName(unknown, known)}'?`,
    {
      field: 'rule.kinds',
      value: unknown,
      expected: known.join(', '),
    },
  );
}
