import type { Policy } from '@keytide/key-directory';
import type { Declarations } from './collection.ts';
import { ClientError } from './errors.ts';

export const DAY_SECONDS = 86_400;

/** How long a collection's content stays, within what the organisation allows, and what becomes of it then. */
export interface CollectionOptions {
  /**
   * How many days it may stay readable on non-admin devices. Left out, or longer than it: the organisation's retention
   * window, which always wins (`Client.shortened`).
   */
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

/** A collection that is declared to stay for longer than the organisation allows: the organisation's word counts. */
export interface ShortenedRetention {
  readonly collection: string;
  readonly declaredDays: number;
  /** How long it stays: the policy's X. */
  readonly days: number;
}

/** The collections that stay for less than they are declared to, by the policy's X. */
export function shortenedBy(
  definition: Declarations,
  { retentionSeconds }: Pick<Policy, 'retentionSeconds'>,
): ShortenedRetention[] {
  const days = retentionSeconds / DAY_SECONDS;
  return Object.entries(definition).flatMap(([collection, declaration]) => {
    const { retentionDays = null } = declaration as Partial<Retained>;
    return retentionDays === null || retentionDays <= days
      ? []
      : [{ collection, declaredDays: retentionDays, days }];
  });
}

/** For who founds an organisation, and has both in hand. @throws ClientError `retention-too-long` */
export function requireRetention(definition: Declarations, policy: Policy): void {
  const [first] = shortenedBy(definition, policy);
  if (first === undefined) return;
  const { collection, declaredDays, days } = first;
  throw new ClientError(
    'retention-too-long',
    `${collection} is declared to stay for ${declaredDays} days, and the policy allows ${days}`,
  );
}
