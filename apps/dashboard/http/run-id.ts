import { z } from 'zod';
import { runIdPattern } from '#runtime/ids.js';

export const runIdSchema = z.string().regex(runIdPattern, 'expected a run id: r and 26 characters');
