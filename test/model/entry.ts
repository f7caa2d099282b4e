import { memberId, signBytes, sorted, type MemberId, type OrgId, type Signer } from '@keytide/crypto-core';
import {
  deviceClaim,
  encodeEntryWire,
  inviteIdOf,
  joinClaim,
  parseEntry,
  publishKeys,
  recoveryClaim,
  signEntry,
  type Checkpoint,
  type EntryBody,
  type Policy,
  type WipeTarget,
} from '@keytide/key-directory';
import type { LogNode } from './epoch-model.ts';
import type { Ground } from './ground.ts';
import type { Attempt, PolicyModel } from './model.ts';
import type { Phone } from './phone.ts';

/** The real things behind the model's names. */
export interface Cast {
  readonly org: OrgId;
  readonly ground: Ground;
  readonly phones: ReadonlyMap<string, Phone>;
  readonly people: Map<string, MemberId>;
  /** An invite's key, and the checkpoint in its link. */
  readonly offers: Map<string, { readonly key: Signer; anchor: Checkpoint | null }>;
  recoveryKey(number: number): Signer;
}

const DAY_SECONDS = 86_400;

/** The bytes of a policy. */
export function policyOf(cast: Cast, model: PolicyModel): Policy {
  const { administration, wipe } = model;
  const approvals = {
    ...(administration > 1 ? { administration } : {}),
    ...(wipe > 1 ? { wipe } : {}),
  };
  return {
    blockSeconds: model.blockMs / 1000,
    silenceSeconds: model.silenceMs / 1000,
    retentionSeconds: 7 * DAY_SECONDS,
    exportSeconds: 30 * DAY_SECONDS,
    recoveryKey: cast.recoveryKey(model.recovery).publicKey,
    ...(Object.keys(approvals).length > 0 ? { approvals } : {}),
  };
}

/** The id of a person, made when first named. */
function personId({ people, ground }: Cast, name: string): MemberId {
  const id = people.get(name) ?? memberId(ground.random(16));
  people.set(name, id);
  return id;
}

/** Signs what somebody tries, WITHOUT asking the rules, as the entry after `log`. */
export function wireOf(cast: Cast, log: LogNode, tried: Attempt): Uint8Array {
  const { primitives } = cast.ground;
  const before = parseEntry(primitives, log.wire);
  const author = phoneOf(cast, tried.by);
  const signed = signEntry(primitives, author.signer, {
    org: cast.org,
    index: before.index + 1,
    previousHash: before.hash,
    timeMs: tried.timeMs,
    body: bodyOf(cast, log, tried),
  });
  if (tried.approvers.length === 0) return signed;
  const { bytes, signature } = parseEntry(primitives, signed);
  const approvals = tried.approvers.map((name) => {
    const { id: device, signer } = phoneOf(cast, name);
    return { device, signature: signBytes(primitives, signer, 'entrySignature', bytes) };
  });
  const others = sorted(approvals, (a, b) => (a.device < b.device ? -1 : 1));
  return encodeEntryWire(bytes, [{ device: author.id, signature }, ...others]);
}

function bodyOf(cast: Cast, log: LogNode, { act, by, timeMs }: Attempt): EntryBody {
  const { primitives } = cast.ground;
  const place = { org: cast.org, previousHash: parseEntry(primitives, log.wire).hash };
  const keys = (): ReturnType<typeof publishKeys> =>
    publishKeys(primitives, phoneOf(cast, by).own(timeMs, log.org.policy.blockMs));
  switch (act.kind) {
    case 'invite':
      return {
        kind: 'invite',
        publicKey: offerKey(cast, act.offer).publicKey,
        role: act.role,
        expiresMs: act.expiresMs,
      };
    case 'invite-device':
      return {
        kind: 'invite-device',
        publicKey: offerKey(cast, act.offer).publicKey,
        member: personId(cast, act.owner),
        expiresMs: act.expiresMs,
      };
    case 'join': {
      const claim = { ...place, member: personId(cast, act.person), handle: act.person, ...keys() };
      return { kind: 'join', ...claim, ...letIn(cast, act, joinClaim(claim)) };
    }
    case 'add-device': {
      const lets = log.org.offers.get(act.offer)?.lets;
      const owner = lets !== undefined && 'owner' in lets ? lets.owner : 'nobody';
      const claim = { ...place, member: personId(cast, owner), ...keys() };
      return { kind: 'add-device', ...claim, ...letIn(cast, act, deviceClaim(claim)) };
    }
    case 'revoke-device':
      return { kind: 'revoke-device', device: phoneOf(cast, act.phone).id };
    case 'remove-member':
      return { kind: 'remove-member', member: personId(cast, act.person) };
    case 'role':
      return { kind: 'role', member: personId(cast, act.person), role: act.role };
    case 'policy':
      return { kind: 'policy', policy: policyOf(cast, act.policy) };
    case 'wipe':
      return { kind: 'wipe', target: targetOf(cast, act.target) };
    case 'recovery': {
      const removed = sorted(
        act.removed.map((person) => personId(cast, person)),
        (a, b) => (a < b ? -1 : 1),
      );
      const member = personId(cast, act.person);
      const policy = policyOf(cast, act.policy);
      const claim = { ...place, member, handle: act.person, ...keys(), policy, removed };
      const key = cast.recoveryKey(act.key);
      return {
        kind: 'recovery',
        ...claim,
        recoverySignature: signBytes(primitives, key, 'recoverySignature', recoveryClaim(claim)),
      };
    }
  }
}

function letIn(
  cast: Cast,
  { offer, hasLink }: { readonly offer: string; readonly hasLink: boolean },
  claim: Uint8Array,
): { invite: ReturnType<typeof inviteIdOf>; inviteSignature: Uint8Array } {
  const { primitives, random } = cast.ground;
  const key = offerKey(cast, offer);
  const signer = hasLink ? key : primitives.signer(random(32));
  return {
    invite: inviteIdOf(primitives, key.publicKey),
    inviteSignature: signBytes(primitives, signer, 'inviteSignature', claim),
  };
}

function targetOf(cast: Cast, target: Extract<Attempt['act'], { kind: 'wipe' }>['target']): WipeTarget {
  if ('phone' in target) return { of: 'device', device: phoneOf(cast, target.phone).id };
  if ('person' in target) return { of: 'member', member: personId(cast, target.person) };
  return { of: 'everyone-but-admins' };
}

function offerKey({ offers, ground }: Cast, name: string): Signer {
  const found = offers.get(name) ?? { key: ground.primitives.signer(ground.random(32)), anchor: null };
  offers.set(name, found);
  return found.key;
}

function phoneOf({ phones }: Cast, name: string): Phone {
  const phone = phones.get(name);
  if (phone === undefined) throw new Error(`no phone ${name}`);
  return phone;
}
