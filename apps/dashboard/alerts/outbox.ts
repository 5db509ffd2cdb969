import { createHash } from 'node:crypto';
import type { Bus, KeyValue } from '#bus/bus.js';
import { decodeJson, encodeJson, type FindingBody } from '#bus/messages.js';

/** One finding that one rule wants told; its key follows from both, so that it exists once however often it is made. */
export interface Item {
  readonly key: string;
  readonly rule: string;
  readonly run: string;
  readonly createdMs: number;
  readonly finding: FindingBody;
}

export interface Try {
  readonly timeMs: number;
  readonly outcome: 'delivered' | 'retry' | 'failed' | 'gone';
  readonly status?: number;
  readonly error?: string;
}

export type DeliveryState = 'pending' | 'delivered' | 'failed' | 'cancelled';

/** Findings of one run that travel together. */
export interface Delivery {
  /** Also the webhook's id, the same on each try. */
  readonly id: string;
  readonly rule: string;
  readonly ruleName: string;
  readonly run: string;
  readonly createdMs: number;
  readonly items: readonly string[];
  readonly findings: readonly FindingBody[];
  readonly state: DeliveryState;
  readonly tries: readonly Try[];
  /** For `pending`. */
  readonly nextTryMs?: number;
  /** For `cancelled` and `failed`. */
  readonly reason?: string;
}

/** An item that has found its delivery stays as a mark, without its finding. */
type ItemRow = Item | { readonly delivery: string; readonly run: string; readonly createdMs: number };

const itemPrefix = 'item/';
const deliveryPrefix = 'delivery/';
/** Keys of deliveries count down, so that the newest come first. */
const lastMs = 9_999_999_999_999;

/** The durable side of the alerts: bucket `alert-outbox`. */
export class Outbox {
  private readonly kv: KeyValue;

  constructor(bus: Bus) {
    this.kv = bus.kv('alert-outbox');
  }

  /** Answers undefined when the item has been here before. */
  async add(rule: string, finding: FindingBody, createdMs: number): Promise<Item | undefined> {
    const key = itemPrefix + hash(`${rule}\n${finding.id}`);
    const item: Item = { key, rule, run: finding.run, createdMs, finding };
    return (await this.kv.put(key, encodeJson(item), 0)) === undefined ? undefined : item;
  }

  /** Makes a delivery of items. The one record is what counts; the marks on the items only save reading. */
  async seal(items: readonly Item[], ruleName: string, nowMs: number): Promise<Delivery> {
    const [first] = items;
    if (first === undefined) throw new RangeError('a delivery needs items');
    const delivery: Delivery = {
      id: `msg_${hash(`${first.rule}\n${first.key}\n${nowMs}`)}`,
      rule: first.rule,
      ruleName,
      run: first.run,
      createdMs: nowMs,
      items: items.map((item) => item.key),
      findings: items.map((item) => item.finding),
      state: 'pending',
      tries: [],
      nextTryMs: nowMs,
    };
    await this.save(delivery);
    await Promise.all(items.map((item) => this.mark(item, delivery.id)));
    return delivery;
  }

  async save(delivery: Delivery): Promise<void> {
    await this.kv.put(deliveryKey(delivery), encodeJson(delivery));
  }

  /** The items are wanted no longer. */
  async drop(items: readonly Item[]): Promise<void> {
    await Promise.all(items.map((item) => this.mark(item, 'dropped')));
  }

  /** Items without a delivery, oldest first. A crash may have left one that is in a delivery unmarked. */
  async waiting(delivered: ReadonlySet<string>): Promise<Item[]> {
    const items: Item[] = [];
    for await (const { key, value } of this.kv.entries(itemPrefix)) {
      const row = decodeJson<ItemRow>(value);
      if (!('finding' in row)) continue;
      if (delivered.has(key)) await this.mark(row, 'found at start');
      else items.push(row);
    }
    return items.sort((a, b) => a.createdMs - b.createdMs || a.finding.step - b.finding.step);
  }

  /** The newest first. */
  async *deliveries(): AsyncGenerator<Delivery> {
    for await (const { value } of this.kv.entries(deliveryPrefix)) yield decodeJson<Delivery>(value);
  }

  /** Forgets what ended before `beforeMs`, and of ended deliveries all but the newest `keep`. */
  async clean(beforeMs: number, keep: number): Promise<void> {
    let ended = 0;
    for await (const delivery of this.deliveries()) {
      if (delivery.state === 'pending') continue;
      if (++ended > keep || delivery.createdMs < beforeMs) await this.kv.delete(deliveryKey(delivery));
    }
    for await (const { key, value } of this.kv.entries(itemPrefix)) {
      const row = decodeJson<ItemRow>(value);
      if (!('finding' in row) && row.createdMs < beforeMs) await this.kv.delete(key);
    }
  }

  async forgetRuns(runs: ReadonlySet<string>): Promise<void> {
    for await (const delivery of this.deliveries()) if (runs.has(delivery.run)) await this.kv.delete(deliveryKey(delivery));
    for await (const { key, value } of this.kv.entries(itemPrefix)) {
      if (runs.has(decodeJson<ItemRow>(value).run)) await this.kv.delete(key);
    }
  }

  private async mark(item: Item, delivery: string): Promise<void> {
    await this.kv.put(item.key, encodeJson({ delivery, run: item.run, createdMs: item.createdMs }));
  }
}

function deliveryKey({ createdMs, id }: Delivery): string {
  return `${deliveryPrefix}${String(lastMs - createdMs).padStart(13, '0')}-${id}`;
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
