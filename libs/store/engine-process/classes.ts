import { foreignSettings, foreignSlots, type EngineLimits } from './options.js';

/** On whose behalf a statement runs. A client says it as its user. */
export const classNames = ['writer', 'eraser', 'page', 'gate', 'foreign'] as const;
export type ClassName = (typeof classNames)[number];

/** What statements of one class may take; each class has slots of its own, so that none waits for another. */
export interface StatementClass {
  readonly slots: number;
  readonly maxWaiting: number;
  /** So many statements have one connection after the other. */
  readonly statementsPerConnection: number;
  readonly bounds: readonly string[];
}

/** Bounds what is left on a connection: parameters cannot be taken away again. */
const manyStatements = 100;

export function statementClasses(limits: EngineLimits): Readonly<Record<ClassName, StatementClass>> {
  const house = `max_threads = ${limits.threads}`;
  const stranger = [
    "profile = 'foreign'",
    ...Object.entries(foreignSettings(limits)).map(([name, value]) => `${name} = ${value}`),
    // Memory that is not counted yet, a thread at a time.
    'max_untracked_memory = 1048576',
    // Behind the house's own threads, where the system lets this process choose; elsewhere ClickHouse passes over it.
    'os_threads_nice_value_query = 10',
    'allow_ddl = 0',
  ];
  return {
    writer: { slots: 2, maxWaiting: 1000, statementsPerConnection: manyStatements, bounds: [house] },
    // One core at most, so that those who write and read notice little of it.
    eraser: { slots: 1, maxWaiting: 1000, statementsPerConnection: manyStatements, bounds: ['max_threads = 1'] },
    page: {
      slots: 6,
      maxWaiting: 1000,
      statementsPerConnection: manyStatements,
      bounds: [house, 'max_execution_time = 60', 'allow_ddl = 0', 'readonly = 2'],
    },
    gate: {
      slots: 2,
      maxWaiting: 1000,
      statementsPerConnection: manyStatements,
      bounds: [...stranger, 'max_execution_time = 5', 'readonly = 2'],
    },
    foreign: { slots: foreignSlots, maxWaiting: foreignSlots, statementsPerConnection: 1, bounds: [...stranger, 'readonly = 2'] },
  };
}

/** So many statements run at a time at most, and each holds a thread of libuv while it does; the rest is for files. */
export function threadsOfPool(limits: EngineLimits): number {
  const slots = Object.values(statementClasses(limits)).reduce((sum, { slots: own }) => sum + own, 0);
  return 2 * slots + 4;
}
