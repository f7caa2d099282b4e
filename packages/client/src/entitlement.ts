import { sorted, type DeviceId, type EpochStatement, type Primitives } from '@keytide/crypto-core';
import {
  parseEntry,
  wasActive,
  type DirectoryState,
  type Member,
  type WipeTarget,
} from '@keytide/key-directory';
import { windowStartMs } from './retention.ts';

/** From where on a member's devices may have old keys (docs/spec/access.md, Entitlement). */
export interface Entitlement {
  /** The place in the log of the member's admission, or of the newest order to wipe what they held. */
  readonly sinceIndex: number;
  /** What was written in a block that had ended by then is over for the member's role. */
  readonly windowStartMs: number;
}

/** An order to wipe, and its place in the log. */
export interface WipeOrder {
  readonly index: number;
  readonly target: WipeTarget;
}

/** What the decisions look at of an epoch. */
export type EpochOutline = Pick<EpochStatement, 'epoch' | 'checkpoint' | 'blockEndMs'>;

/** What a device asks for. */
interface EpochRange {
  readonly firstEpoch: number;
  readonly lastEpoch: number;
}

/** What a member's devices may have at `nowMs`. The orders are all of the log, in any order. */
export function entitlementOf(
  { policy }: Pick<DirectoryState, 'policy'>,
  member: Pick<Member, 'id' | 'role' | 'roleSince' | 'addedAt'>,
  wipes: readonly WipeOrder[],
  nowMs: number,
): Entitlement {
  const reached = wipes.filter((order) => reaches(order, member)).map(({ index }) => index);
  return {
    sinceIndex: Math.max(member.addedAt, ...reached),
    windowStartMs: windowStartMs(policy, member.role, nowMs),
  };
}

/**
 * Whether an epoch's key may be given: its time is not over, and whoever made it knew already that the member was in,
 * and of the wipe. By places in the log and not by clocks, so that nobody moves it by a wrong date.
 */
export function isEntitled(entitlement: Entitlement, { checkpoint, blockEndMs }: EpochOutline): boolean {
  return checkpoint.size > entitlement.sinceIndex && blockEndMs > entitlement.windowStartMs;
}

/** A lost phone alone does not lose its member the window: an order for one device reaches no other. */
function reaches(
  { index, target }: WipeOrder,
  { id, role, roleSince }: Pick<Member, 'id' | 'role' | 'roleSince'>,
) {
  switch (target.of) {
    case 'device':
      return false;
    case 'member':
      return target.member === id;
    case 'everyone-but-admins':
      return !(role === 'admin' && roleSince <= index);
  }
}

/** The orders to wipe in a log. */
export function wipesIn(primitives: Primitives, state: DirectoryState, wireAt: WireAt): readonly WipeOrder[] {
  const places = new Set<number>();
  for (const { wipedAt } of state.devices.values()) if (wipedAt !== null) places.add(wipedAt);
  return [...places].flatMap((index) => {
    const { body } = parseEntry(primitives, wireAt(index));
    return body.kind === 'wipe' ? [{ index, target: body.target }] : [];
  });
}

/** A grant in the log. */
export interface GrantRecord extends EpochRange {
  readonly index: number;
  /** Hash of the request, 32 bytes. */
  readonly request: Uint8Array;
  readonly author: DeviceId;
  readonly device: DeviceId;
  /** By its author's clock, and later than the entry before it. */
  readonly timeMs: number;
}

/** An entry of the membership log by its place. */
export type WireAt = (index: number) => Uint8Array;

/** The grant at this place of the log. */
export function grantAt(primitives: Primitives, wireAt: WireAt, index: number): GrantRecord | null {
  const { body, author, timeMs } = parseEntry(primitives, wireAt(index));
  if (body.kind !== 'grant') return null;
  const { request, device, firstEpoch, lastEpoch } = body;
  return { index, author, request, device, firstEpoch, lastEpoch, timeMs };
}

/** The grants to a device, in the order of the log. */
export function grantsTo(
  primitives: Primitives,
  state: DirectoryState,
  wireAt: WireAt,
  device: DeviceId,
): readonly GrantRecord[] {
  const addedAt = state.devices.get(device)?.addedAt ?? Infinity;
  const places = [...state.grants.values()].filter((index) => index > addedAt);
  const grants = places.flatMap((index) => grantAt(primitives, wireAt, index) ?? []);
  return sorted(
    grants.filter((grant) => grant.device === device),
    (a, b) => a.index - b.index,
  );
}

/**
 * Why a person has to decide. `first-request`: it asks for epochs that were never sealed to this device, and nobody
 * has let it have such yet. `identity-changed`: the member's devices have changed since this admin took note of them.
 * `window`: it asks for more than the member is entitled to, of which this much is given. `often`: it has had as many
 * grants within a day as a device gets without a person; each is an entry of the log that every device keeps.
 */
export type AccessNeed = 'first-request' | 'identity-changed' | 'window' | 'often';

/** Grants to one device within a day, after which a person decides. */
const GRANTS_A_DAY = 8;
const DAY_MS = 86_400_000;

/** What is known of a request when it is decided. */
interface Weighed {
  readonly state: DirectoryState;
  readonly device: DeviceId;
  readonly asked: EpochRange;
  /** As of now, and as of when the device asked: what is over since is nobody's fault. */
  readonly now: Entitlement;
  readonly asOfAsking: Entitlement;
  readonly isChanged: boolean;
  readonly nowMs: number;
  readonly grants: readonly Pick<GrantRecord, 'firstEpoch' | 'lastEpoch' | 'timeMs'>[];
  /** The statement of an epoch as this device verified it; `null` for none. */
  statementOf(epoch: number): EpochOutline | null;
}

/** Which epochs a request would be given, in order, and why a person has to decide; nobody has to: no need. */
export function weigh(weighed: Weighed): {
  readonly give: readonly number[];
  readonly needs: readonly AccessNeed[];
} {
  const { state, device, asked, now, asOfAsking, isChanged, grants, nowMs } = weighed;
  const wasRecipient = ({ checkpoint }: EpochOutline): boolean => wasActive(state, device, checkpoint.size);
  const known = epochsIn(asked).map((epoch) => weighed.statementOf(epoch));
  const give = known.filter(
    (statement) => statement !== null && isEntitled(now, statement),
  ) as EpochOutline[];
  // Only a person lets a device have what was never sealed to it: so one has, where the log has such a grant.
  const wasLetIn = grants.some((grant) =>
    epochsIn(grant).some((epoch) => {
      const statement = weighed.statementOf(epoch);
      return statement !== null && !wasRecipient(statement);
    }),
  );
  const isBeyond = known.some((statement) => statement === null || !isEntitled(asOfAsking, statement));
  const isOften = grants.filter(({ timeMs }) => timeMs > nowMs - DAY_MS).length >= GRANTS_A_DAY;
  return {
    give: give.map(({ epoch }) => epoch),
    needs: [
      ...(!wasLetIn && give.some((statement) => !wasRecipient(statement))
        ? (['first-request'] as const)
        : []),
      ...(isChanged ? (['identity-changed'] as const) : []),
      ...(isBeyond ? (['window'] as const) : []),
      ...(isOften ? (['often'] as const) : []),
    ],
  };
}

function epochsIn({ firstEpoch, lastEpoch }: EpochRange): number[] {
  return Array.from({ length: lastEpoch - firstEpoch + 1 }, (_, i) => firstEpoch + i);
}
