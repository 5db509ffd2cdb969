import { createHash } from 'node:crypto';
import type { Bus, KeyValue } from '#bus/bus.js';
import { decodeJson, encodeJson, type FindingBody } from '#bus/messages.js';
import { smallest } from '#math/extremes.js';

/** One finding that one rule wants told; its key follows from both, so that it exists once however often it is made. */
export interface Item {
  readonly key: string;
  readonly rule: string;
  readonly run: string;
  readonly createdMs: number;
  readonly finding: FindingBody;
}

/** Enough to find it again. */
export type ItemRef = Pick<Item, 'key' | 'createdMs'>;

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
  /** The first and the newest. */
  readonly tries: readonly Try[];
  /** Those that are not kept. */
  readonly earlierTries?: number;
  /** When the first of its findings came. */
  readonly sinceMs?: number;
  /** Findings that did not come in, since too many waited. */
  readonly leftOut?: number;
  /** For `pending`. */
  readonly nextTryMs?: number;
  /** For `cancelled` and `failed`. */
  readonly reason?: string;
}

/** Enough to find it again. */
export type DeliveryRef = Pick<Delivery, 'id' | 'createdMs'>;

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

  /** Makes a delivery of items; undefined when they are there no longer. The one record is what counts; the marks on the items only save reading. */
  async seal(
    items: readonly ItemRef[],
    head: Pick<Delivery, 'rule' | 'ruleName' | 'run'> & { readonly leftOut: number },
    nowMs: number,
  ): Promise<Delivery | undefined> {
    const found = (await Promise.all(items.map(({ key }) => this.item(key)))).filter((item) => item !== undefined);
    const [first] = found;
    if (first === undefined) return undefined;
    const { leftOut, ...names } = head;
    const delivery: Delivery = {
      id: `msg_${hash(`${names.rule}\n${first.key}\n${nowMs}`)}`,
      ...names,
      createdMs: nowMs,
      items: found.map((item) => item.key),
      findings: found.map((item) => item.finding),
      state: 'pending',
      tries: [],
      nextTryMs: nowMs,
      sinceMs: smallest(found.map((item) => item.createdMs)),
      ...(leftOut > 0 && { leftOut }),
    };
    await this.save(delivery);
    await Promise.all(found.map((item) => this.mark(item, delivery.id)));
    return delivery;
  }

  async read(ref: DeliveryRef): Promise<Delivery | undefined> {
    const entry = await this.kv.get(deliveryKey(ref));
    return entry === undefined ? undefined : decodeJson<Delivery>(entry.value);
  }

  async save(delivery: Delivery): Promise<void> {
    await this.kv.put(deliveryKey(delivery), encodeJson(delivery));
  }

  /** The items are wanted no longer. */
  async drop(items: readonly (ItemRef & Pick<Item, 'run'>)[]): Promise<void> {
    await Promise.all(items.map((item) => this.mark(item, 'dropped')));
  }

  /** Items without a delivery, oldest first. A crash may have left one that is in a delivery unmarked. */
  async waiting(sealed: ReadonlySet<string>): Promise<readonly (ItemRef & Pick<Item, 'rule' | 'run'>)[]> {
    const items: (ItemRef & Pick<Item, 'rule' | 'run'> & { readonly step: number })[] = [];
    for await (const { key, value } of this.kv.entries(itemPrefix)) {
      const row = decodeJson<ItemRow>(value);
      if (!('finding' in row)) continue;
      const { rule, run, createdMs, finding } = row;
      if (sealed.has(key)) await this.mark(row, 'found at start');
      else items.push({ key, rule, run, createdMs, step: finding.step });
    }
    return items.sort((a, b) => a.createdMs - b.createdMs || a.step - b.step);
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

  private async item(key: string): Promise<Item | undefined> {
    const entry = await this.kv.get(key);
    const row = entry === undefined ? undefined : decodeJson<ItemRow>(entry.value);
    return row !== undefined && 'finding' in row ? row : undefined;
  }

  private async mark(item: Pick<Item, 'key' | 'run' | 'createdMs'>, delivery: string): Promise<void> {
    await this.kv.put(item.key, encodeJson({ delivery, run: item.run, createdMs: item.createdMs }));
  }
}

function deliveryKey({ createdMs, id }: DeliveryRef): string {
  return `${deliveryPrefix}${String(lastMs - createdMs).padStart(13, '0')}-${id}`;
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
