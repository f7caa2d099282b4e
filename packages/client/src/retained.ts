import type { Policy } from '@keytide/key-directory';
import type { Declarations } from './collection.ts';
import { ClientError } from './errors.ts';

export const DAY_SECONDS = 86_400;

/** How long a collection's content stays, within what the organisation allows, and what becomes of it then. */
export interface CollectionOptions {
  /** How many days it may stay readable on non-admin devices. Left out: the organisation's retention window. */
  readonly retentionDays?: number;
  /** What becomes of it before the relay deletes it: put into the archive, only exported, or neither. */
  readonly export?: ExportChoice;
}

export type ExportChoice = 'archive' | 'export' | 'none';

/** What every declaration of content that ends says of it. */
export interface Retained {
  /** `null`: as long as the organisation's retention window. */
  readonly retentionDays: number | null;
  readonly export: ExportChoice;
}

/** @throws TypeError for days that are not a positive number */
export function retainedBy(options: CollectionOptions): Retained {
  const { retentionDays, export: choice = 'archive' } = options;
  if (retentionDays !== undefined && !(retentionDays > 0 && retentionDays < Infinity))
    throw new TypeError('retentionDays: a number of days above 0');
  return { retentionDays: retentionDays ?? null, export: choice };
}

/** @throws ClientError `retention-too-long` for a collection that is to stay readable for longer than the policy's X */
export function requireRetention(definition: Declarations, { retentionSeconds }: Policy): void {
  for (const [name, declaration] of Object.entries(definition)) {
    const { retentionDays = null } = declaration as Partial<Retained>;
    if (retentionDays === null || retentionDays * DAY_SECONDS <= retentionSeconds) continue;
    const days = retentionSeconds / DAY_SECONDS;
    throw new ClientError(
      'retention-too-long',
      `${name} is declared to stay for ${retentionDays} days, and the organisation allows ${days}`,
    );
  }
}
