import {
  concatBytes,
  decodeUtf8,
  encodeUtf8,
  fromHex,
  groupId,
  deviceId,
  orgId,
  toHex,
  type DeviceId,
  type GroupId,
  type OrgId,
} from '@keytide/crypto-core';
import { z } from 'zod';
import { readerOf } from '../byte-reader.ts';
import type { Destination } from '../container/destination.ts';
import type { ArchiveFilter } from '../container/filter.ts';
import { NAMES } from '../container/names.ts';
import { MAX_DATE_MS } from '../container/signed-manifest.ts';
import { ArchiveError } from '../errors.ts';

/** What is decided before the first file of an archive is written, so that it can be gone on with after a stop. */
export interface ExportPlan {
  readonly org: OrgId;
  /** Who makes it: what has been written it alone can say. */
  readonly device: DeviceId;
  /** 16 bytes, random. */
  readonly id: Uint8Array;
  readonly createdMs: number;
  readonly filter: ArchiveFilter | null;
  /** To whom it is sealed: X-Wing keys of 1,216 bytes. */
  readonly recipients: readonly Uint8Array[];
  /** SHA-256 of the bytes of the archive before, 32 bytes. */
  readonly previous: Uint8Array | null;
  /** How many entries of the membership log. */
  readonly membershipSize: number;
  /** The last entry of each group. */
  readonly through: readonly { readonly group: GroupId; readonly throughSeq: number }[];
}

/** What of a plan is the caller's choice. */
export type ExportChoice = Pick<ExportPlan, 'org' | 'device' | 'filter' | 'recipients' | 'previous'>;

const VERSION = 1;
/** The last time that a date has (ECMA-262). */
/** A recipient has 2,432 digits. */
const MAX_PLAN_BYTES = 8 * 1024 * 1024;
const hex = (sizeBytes: number): z.ZodType<Uint8Array> =>
  z.string().transform((text, context) => {
    const bytes = fromHex(text);
    if (bytes?.length === sizeBytes) return bytes;
    context.addIssue('not bytes');
    return z.NEVER;
  }) as unknown as z.ZodType<Uint8Array>;
const schema = z.object({
  version: z.literal(VERSION),
  org: hex(32),
  device: hex(32),
  id: hex(16),
  createdMs: z.int().min(0).max(MAX_DATE_MS),
  filter: z.record(z.string(), z.unknown()).nullable(),
  recipients: z.array(hex(1_216)),
  previous: hex(32).nullable(),
  membershipSize: z.int().min(1),
  through: z.array(z.object({ group: hex(32), throughSeq: z.int().min(0) })),
});

/** `plan.json`. */
export function encodePlan(plan: ExportPlan): Uint8Array {
  const { id, createdMs, membershipSize, through } = plan;
  const text = JSON.stringify({
    ...{ version: VERSION, ...choiceIn(plan) },
    ...{ id: toHex(id), createdMs, membershipSize, through },
  });
  return concatBytes(encodeUtf8(text) as Uint8Array, Uint8Array.of(10));
}

/**
 * The plan of an export that was begun here, or `null`.
 * @throws ArchiveError `not-empty` for a place that holds something else, `malformed`, `unsupported-version`
 */
export async function readPlan(
  destination: Destination,
): Promise<{ plan: ExportPlan; bytes: Uint8Array } | null> {
  let isEmpty = true;
  for await (const { name } of destination.list()) {
    if (name === NAMES.plan) {
      const bytes = await readerOf(destination.read(name)).read(MAX_PLAN_BYTES);
      return { plan: parsePlan(bytes), bytes };
    }
    isEmpty = false;
  }
  if (!isEmpty) throw new ArchiveError('not-empty', 'an archive begins in an empty place');
  return null;
}

/** @throws ArchiveError `other-export` where the plan was made by another choice */
export function requireSameChoice(plan: ExportPlan, choice: ExportChoice): void {
  if (JSON.stringify(choiceIn(plan)) !== JSON.stringify(choiceIn(choice)))
    throw new ArchiveError(
      'other-export',
      'an export with other options, or of another device, was begun here',
    );
}

function choiceIn({ org, device, filter, recipients, previous }: ExportChoice): object {
  return { org, device, filter, recipients: recipients.map(toHex), previous: previous && toHex(previous) };
}

/** @throws ArchiveError `malformed`, `unsupported-version` */
function parsePlan(bytes: Uint8Array): ExportPlan {
  let value: unknown;
  try {
    value = JSON.parse(decodeUtf8(bytes) ?? '');
  } catch {
    throw malformed();
  }
  const isOther =
    typeof value === 'object' && value !== null && 'version' in value && value.version !== VERSION;
  if (isOther) throw new ArchiveError('unsupported-version', 'begun by another version');
  const read = schema.safeParse(value);
  if (!read.success) throw malformed();
  const { org, device, filter, through, id, createdMs, recipients, previous, membershipSize } = read.data;
  return {
    ...{ org: orgId(org), device: deviceId(device), id, createdMs, recipients, previous, membershipSize },
    filter: filter as ArchiveFilter | null,
    through: through.map((stretch) => ({ ...stretch, group: groupId(stretch.group) })),
  };
}

function malformed(): ArchiveError {
  return new ArchiveError('malformed', 'not the plan of an export');
}
