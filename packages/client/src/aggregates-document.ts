import { parseRelease, type AggregateRelease, type FullPlan } from '@keytide/archive/aggregates';
import { encodeCbor, equalBytes, labelledHash, type CborValue, type Primitives } from '@keytide/crypto-core';
import { z } from 'zod';
import { encodeClearBody } from './clear-body.ts';
import { org, type OrgCollection, type OrgDeclaration } from './org-collection.ts';

/** What is published, as a document of the class org: the relay reads it. Its id is the release's hash. */
export type ReleaseDocument = { readonly release: AggregateRelease };

/** Where an application keeps what it publishes. */
export type ReleaseCollection = OrgCollection<ReleaseDocument>;

const schema: z.ZodType<ReleaseDocument> = z.strictObject({ release: z.custom<AggregateRelease>(isRelease) });

/** Declares where what is published is: every member reads it, admins write it, and the relay can read it. */
export function releases(): OrgDeclaration<ReleaseDocument> {
  return org(schema, { writers: 'admins' });
}

/** The hash that the membership log names a release by: 32 bytes. Docs/spec/aggregates.md, publishing. */
export function releaseHash(primitives: Primitives, release: AggregateRelease): Uint8Array {
  return labelledHash(primitives, 'aggregateRelease', encodeCbor(release as unknown as CborValue));
}

/** Whether a release was made by this very plan. */
export function isOfPlan({ plan }: AggregateRelease, other: FullPlan): boolean {
  return equalBytes(encodeCbor(plan as unknown as CborValue), encodeCbor(other as unknown as CborValue));
}

/** @throws ClientError `too-large` for a release that is no document; `invalid-value` */
export function assertPublishable(release: AggregateRelease): void {
  encodeClearBody('releases', schema, { release });
}

function isRelease(value: unknown): boolean {
  try {
    parseRelease(value);
    return true;
  } catch {
    return false;
  }
}
