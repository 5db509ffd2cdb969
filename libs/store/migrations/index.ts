import { tables } from './0001-tables.js';
import { views } from './0002-views.js';
import { windows } from './0003-windows.js';
import { ends } from './0004-ends.js';
import type { Migration } from './migration.js';

/** In order, without gaps. SQL lives in modules and not in .sql files, so that it is where the code is, built or not. */
export const migrations: readonly Migration[] = [tables, views, windows, ends];
