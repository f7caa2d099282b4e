import { deviceId, fromHex, groupId, idBytes, memberId, type CborValue } from '@keytide/crypto-core';
import { z } from 'zod';
import type { BodyOf, EntryBody, EntryKind, WipeTarget } from './entry-body.ts';
import { DirectoryError } from './errors.ts';
import { inviteId, type InviteId } from './invite-id.ts';
import { policySchema, type Policy } from './policy.ts';
import { isPublishablePeriod } from './publishable-period.ts';
import { ROLES } from './role.ts';

interface BodyCodec<K extends EntryKind> {
  readonly schema: z.ZodType<BodyOf<K>>;
  readonly fields: (body: BodyOf<K>) => readonly CborValue[];
}

const anyBytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);
const bytes = (sizeBytes: number): z.ZodType<Uint8Array> =>
  anyBytes.refine((value) => value.length === sizeBytes);
const member = bytes(16).transform(memberId);
const device = bytes(32).transform(deviceId);
const invite = bytes(32).transform(inviteId);
const group = bytes(32).transform(groupId);
const role = z.enum(ROLES);
const wipeTarget: z.ZodType<WipeTarget> = z.union([
  z.tuple([z.literal('device'), device]).transform(([of, id]) => ({ of, device: id })),
  z.tuple([z.literal('member'), member]).transform(([of, id]) => ({ of, member: id })),
  z.tuple([z.literal('everyone-but-admins')]).transform(([of]) => ({ of })),
]);
const timeMs = z.int().min(0).max(8_640_000_000_000_000);
const MAX_EPSILON = 1e12;

const CODECS: { readonly [K in EntryKind]: BodyCodec<K> } = {
  genesis: {
    schema: z
      .tuple([bytes(32), policySchema, member, z.string(), anyBytes, anyBytes])
      .transform(([random, policy, id, handle, deviceRecord, sealingRecord]) => {
        return { kind: 'genesis', random, policy, member: id, handle, deviceRecord, sealingRecord };
      }),
    fields: (body) => [
      body.random,
      policyMap(body.policy),
      idBytes(body.member),
      body.handle,
      body.deviceRecord,
      body.sealingRecord,
    ],
  },
  invite: {
    schema: z
      .tuple([bytes(32), role, timeMs])
      .transform(([publicKey, given, expiresMs]) => ({ kind: 'invite', publicKey, role: given, expiresMs })),
    fields: (body) => [body.publicKey, body.role, body.expiresMs],
  },
  'revoke-invite': {
    schema: z.tuple([invite]).transform(([id]) => ({ kind: 'revoke-invite', invite: id })),
    fields: (body) => [hexBytes(body.invite)],
  },
  join: {
    schema: z
      .tuple([invite, member, z.string(), anyBytes, anyBytes, bytes(64)])
      .transform(([id, joiner, handle, deviceRecord, sealingRecord, inviteSignature]) => {
        return {
          kind: 'join',
          invite: id,
          member: joiner,
          handle,
          deviceRecord,
          sealingRecord,
          inviteSignature,
        };
      }),
    fields: (body) => [
      hexBytes(body.invite),
      idBytes(body.member),
      body.handle,
      body.deviceRecord,
      body.sealingRecord,
      body.inviteSignature,
    ],
  },
  'invite-device': {
    schema: z.tuple([bytes(32), member, timeMs]).transform(([publicKey, owner, expiresMs]) => {
      return { kind: 'invite-device', publicKey, member: owner, expiresMs };
    }),
    fields: (body) => [body.publicKey, idBytes(body.member), body.expiresMs],
  },
  'add-device': {
    schema: z
      .tuple([invite, anyBytes, anyBytes, bytes(64)])
      .transform(([id, deviceRecord, sealingRecord, inviteSignature]) => {
        return { kind: 'add-device', invite: id, deviceRecord, sealingRecord, inviteSignature };
      }),
    fields: (body) => [hexBytes(body.invite), body.deviceRecord, body.sealingRecord, body.inviteSignature],
  },
  'revoke-device': {
    schema: z.tuple([device]).transform(([id]) => ({ kind: 'revoke-device', device: id })),
    fields: (body) => [idBytes(body.device)],
  },
  'remove-member': {
    schema: z.tuple([member]).transform(([id]) => ({ kind: 'remove-member', member: id })),
    fields: (body) => [idBytes(body.member)],
  },
  role: {
    schema: z.tuple([member, role]).transform(([id, given]) => ({ kind: 'role', member: id, role: given })),
    fields: (body) => [idBytes(body.member), body.role],
  },
  policy: {
    schema: z.tuple([policySchema]).transform(([policy]) => ({ kind: 'policy', policy })),
    fields: (body) => [policyMap(body.policy)],
  },
  wipe: {
    schema: z.tuple([wipeTarget]).transform(([target]) => ({ kind: 'wipe', target })),
    fields: (body) => [wipeTargetFields(body.target)],
  },
  grant: {
    schema: z
      .tuple([bytes(32), device, group, z.int().min(1), z.int().min(1)])
      .refine(([, , , first, last]) => first <= last)
      .transform(([request, id, of, firstEpoch, lastEpoch]) => {
        return { kind: 'grant', request, device: id, group: of, firstEpoch, lastEpoch };
      }),
    fields: (body) => [
      body.request,
      idBytes(body.device),
      idBytes(body.group),
      body.firstEpoch,
      body.lastEpoch,
    ],
  },
  'deletion-receipt': {
    schema: z
      .tuple([group, z.int().min(1), z.int().min(1), bytes(32)])
      .refine(([, first, last]) => first <= last)
      .transform(([of, firstSeq, lastSeq, root]) => {
        return { kind: 'deletion-receipt', group: of, firstSeq, lastSeq, root };
      }),
    fields: (body) => [idBytes(body.group), body.firstSeq, body.lastSeq, body.root],
  },
  aggregates: {
    schema: z
      .tuple([z.string().min(1).max(200), timeMs, timeMs, z.int().min(0).max(MAX_EPSILON), bytes(32)])
      .refine(([, fromMs, toMs]) => isPublishablePeriod(fromMs, toMs))
      .transform(([dataset, fromMs, toMs, epsilonMilli, release]) => {
        return { kind: 'aggregates', dataset, fromMs, toMs, epsilonMilli, release };
      }),
    fields: (body) => [body.dataset, body.fromMs, body.toMs, body.epsilonMilli, body.release],
  },
  recovery: {
    schema: z
      .tuple([member, z.string(), anyBytes, anyBytes, policySchema, z.array(member), bytes(64)])
      .refine(([, , , , , removed]) => isSorted(removed))
      .transform(([id, handle, deviceRecord, sealingRecord, policy, removed, recoverySignature]) => {
        const keys = { deviceRecord, sealingRecord };
        return { kind: 'recovery', member: id, handle, ...keys, policy, removed, recoverySignature };
      }),
    fields: (body) => [
      idBytes(body.member),
      body.handle,
      body.deviceRecord,
      body.sealingRecord,
      policyMap(body.policy),
      body.removed.map(idBytes),
      body.recoverySignature,
    ],
  },
};

/** Whether this build knows entries of this kind. */
export function isEntryKind(kind: string): kind is EntryKind {
  return Object.keys(CODECS).includes(kind);
}

/**
 * Reads a body's fields; `null` when they are not those of the kind.
 * @throws DirectoryError `unsupported-version` for a policy with parts that this build does not know, whatever the rest
 */
export function parseBody(kind: EntryKind, fields: CborValue): EntryBody | null {
  const schema: z.ZodType<EntryBody> = CODECS[kind].schema;
  const { data, error } = schema.safeParse(fields);
  if (error?.issues.some(({ code }) => code === 'unrecognized_keys') === true)
    throw new DirectoryError('unsupported-version', 'a policy with parts that this build does not know');
  return data ?? null;
}

/** The fields of a body in the order in which they travel. */
export function bodyFields(body: EntryBody): readonly CborValue[] {
  // The table pairs each kind with the codec of that kind; TypeScript cannot follow the pair through the lookup.
  return (CODECS[body.kind] as BodyCodec<EntryKind>).fields(body);
}

function hexBytes(id: InviteId): Uint8Array {
  return fromHex(id) as Uint8Array;
}

/** A policy as it travels. */
export function policyMap(policy: Policy): CborValue {
  const { approvals, witnesses, privacyBudget, ...rest } = policy;
  return {
    ...rest,
    ...(approvals === undefined ? {} : { approvals: { ...approvals } }),
    ...(witnesses === undefined ? {} : { witnesses: { ...witnesses } }),
    ...(privacyBudget === undefined ? {} : { privacyBudget: { ...privacyBudget } }),
  };
}

function wipeTargetFields(target: WipeTarget): readonly CborValue[] {
  if (target.of === 'device') return [target.of, idBytes(target.device)];
  if (target.of === 'member') return [target.of, idBytes(target.member)];
  return [target.of];
}

function isSorted(ids: readonly string[]): boolean {
  return ids.every((id, index) => index === 0 || (ids[index - 1] as string) < id);
}
