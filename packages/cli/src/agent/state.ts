import { readFile } from 'node:fs/promises';
import { replaceFile } from '@keytide/crypto-core/node';
import { z } from 'zod';
import { NEW_TIMETABLE, type Timetable } from './schedule.ts';
import { NEW_SERIES, type Series } from './series.ts';

/** What an agent knows after a reboot. Names of archives, times and numbers; nothing of what was said, and no key. */
export interface AgentState {
  readonly table: Timetable;
  readonly series: Series;
  /** When it first ran here. */
  readonly sinceMs: number;
  /** When nothing was left to do for the last time. */
  readonly successMs: number | null;
  /** Why something is left to do; `null` after a success. */
  readonly failure: string | null;
  /** The oldest archive that admins are yet to sign; `given` is `null` where one who has is none any more. */
  readonly approvals: {
    readonly archive: string;
    readonly given: number | null;
    readonly needed: number | null;
  } | null;
  /** Why the newest archive has no copy of the set of shares that is configured; `null` where nothing is wrong. */
  readonly setFailure: string | null;
  /** Of the newest archive, and of all, as they were made. */
  readonly sizeBytes: number;
  readonly totalBytes: number;
  /** Stretches of the log that the relay is about to forget and that nobody has exported. */
  readonly due: { readonly days: number; readonly firstMs: number; readonly isWaived: boolean } | null;
}

/** Remembers: at once, and durably when `keep` resolves. */
export interface AgentMemory {
  readonly state: AgentState;
  keep(changed: Partial<AgentState>): Promise<void>;
}

const VERSION = 1;
const begun = {
  name: z.string().regex(/^[0-9A-Za-z-]{1,64}$/),
  previous: z.string().nullable(),
  isBehind: z.boolean(),
};
const count = z.int().min(0);
const schema: z.ZodType<AgentState> = z.object({
  version: z.literal(VERSION),
  table: z.object({ doneMs: z.int().nullable(), failures: count, retryAtMs: z.int().nullable() }),
  series: z.object({
    current: z.object(begun).nullable(),
    last: z.string().nullable(),
    told: z.string().nullable(),
    unsound: z.string().nullable(),
    failed: count,
    behind: count,
    sinceFull: count,
    pending: z.array(z.object({ ...begun, isEverywhere: z.boolean(), isTold: z.boolean() })),
  }),
  sinceMs: z.int(),
  successMs: z.int().nullable(),
  failure: z.string().nullable(),
  approvals: z.object({ archive: z.string(), given: count.nullable(), needed: count.nullable() }).nullable(),
  setFailure: z.string().nullable(),
  sizeBytes: count,
  totalBytes: count,
  due: z.object({ days: count, firstMs: z.int(), isWaived: z.boolean() }).nullable(),
});

/** As an agent begins. */
export function newState(nowMs: number): AgentState {
  const nothing = { successMs: null, failure: null, approvals: null, setFailure: null, due: null };
  return {
    sizeBytes: 0,
    totalBytes: 0,
    table: NEW_TIMETABLE,
    series: NEW_SERIES,
    sinceMs: nowMs,
    ...nothing,
  };
}

/**
 * What is remembered in a file. One that is missing or cannot be understood is as none: then the next archive is a full
 * one, which needs nothing of the ones before.
 */
export async function openMemory(path: string, nowMs: number): Promise<AgentMemory> {
  let state = (await readState(path)) ?? newState(nowMs);
  return {
    get state() {
      return state;
    },
    async keep(changed) {
      state = { ...state, ...changed };
      await replaceFile(
        path,
        new TextEncoder().encode(`${JSON.stringify({ ...state, version: VERSION })}\n`),
      );
    },
  };
}

async function readState(path: string): Promise<AgentState | null> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
