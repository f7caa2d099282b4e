import {
  deviceId,
  fromHex,
  idBytes,
  memberId,
  type CborValue,
  type DeviceId,
  type MemberId,
} from '@keytide/crypto-core';
import { z } from 'zod';
import { inviteId, type InviteId } from './invite-id.ts';
import { policySchema, type Policy } from './policy.ts';
import { ROLES, type Role } from './role.ts';

/** The keys of a device that enters the log; both byte strings in the formats of docs/spec/keys-and-sealing.md. */
export interface DeviceKeys {
  readonly deviceRecord: Uint8Array;
  /** The signed sealing record as it travels. */
  readonly sealingRecord: Uint8Array;
}

/** What one entry does; the layouts are in docs/spec/membership-log.md. */
export type EntryBody =
  | (DeviceKeys & {
      readonly kind: 'genesis';
      /** 32 bytes: makes the organisation's id unique and unguessable. */
      readonly random: Uint8Array;
      readonly policy: Policy;
      readonly member: MemberId;
      readonly handle: string;
    })
  | {
      readonly kind: 'invite';
      /** Ed25519, 32 bytes. */
      readonly publicKey: Uint8Array;
      readonly role: Role;
      readonly expiresMs: number;
    }
  | { readonly kind: 'revoke-invite'; readonly invite: InviteId }
  | (DeviceKeys & {
      readonly kind: 'join';
      readonly invite: InviteId;
      readonly member: MemberId;
      readonly handle: string;
      /** 64 bytes, by the invite's key over `joinClaim`. */
      readonly inviteSignature: Uint8Array;
    })
  | (DeviceKeys & {
      readonly kind: 'add-device';
      readonly member: MemberId;
      /** 64 bytes, by the new device's signing key over `possessionClaim`. */
      readonly possessionSignature: Uint8Array;
    })
  | { readonly kind: 'revoke-device'; readonly device: DeviceId }
  | { readonly kind: 'remove-member'; readonly member: MemberId }
  | { readonly kind: 'role'; readonly member: MemberId; readonly role: Role };

/** The kinds of entries. */
export type EntryKind = EntryBody['kind'];

/** The body of one kind. */
export type BodyOf<K extends EntryKind> = Extract<EntryBody, { kind: K }>;

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
const role = z.enum(ROLES);
const timeMs = z.int().min(0).max(8_640_000_000_000_000);

const CODECS: { readonly [K in EntryKind]: BodyCodec<K> } = {
  genesis: {
    schema: z
      .tuple([bytes(32), policySchema, member, z.string(), anyBytes, anyBytes])
      .transform(([random, policy, id, handle, deviceRecord, sealingRecord]) => {
        return { kind: 'genesis', random, policy, member: id, handle, deviceRecord, sealingRecord };
      }),
    fields: (body) => [
      body.random,
      { ...body.policy },
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
  'add-device': {
    schema: z
      .tuple([member, anyBytes, anyBytes, bytes(64)])
      .transform(([owner, deviceRecord, sealingRecord, possessionSignature]) => {
        return { kind: 'add-device', member: owner, deviceRecord, sealingRecord, possessionSignature };
      }),
    fields: (body) => [idBytes(body.member), body.deviceRecord, body.sealingRecord, body.possessionSignature],
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
};

/** Whether this build knows entries of this kind. */
export function isEntryKind(kind: string): kind is EntryKind {
  return Object.hasOwn(CODECS, kind);
}

/** Reads a body's fields; `null` when they are not those of the kind. */
export function parseBody(kind: EntryKind, fields: CborValue): EntryBody | null {
  const schema: z.ZodType<EntryBody> = CODECS[kind].schema;
  return schema.safeParse(fields).data ?? null;
}

/** The fields of a body in the order in which they travel. */
export function bodyFields(body: EntryBody): readonly CborValue[] {
  // The table pairs each kind with the codec of that kind; TypeScript cannot follow the pair through the lookup.
  return (CODECS[body.kind] as BodyCodec<EntryKind>).fields(body);
}

function hexBytes(id: InviteId): Uint8Array {
  return fromHex(id) as Uint8Array;
}
