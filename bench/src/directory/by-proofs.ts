import { equalBytes, type Signer } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  advanceAnchor,
  assembleNote,
  cosignature,
  parseCheckpointText,
  parseMemberHead,
  parseNote,
  readHeads,
  settle,
  type Anchor,
  type DirectoryState,
  type HeadName,
} from '@keytide/key-directory';
import type { RelayApi } from '../../../packages/client/src/relay-api.ts';

/** How many people a device keeps beside itself and the admins. */
export const CONTACTS = 20;

/** Has the relay's newest checkpoint cosigned by the device that is logged in. */
export async function cosign(api: RelayApi, signer: Signer): Promise<void> {
  const { text } = parseNote(await api.readCheckpoint());
  const line = cosignature(primitives, signer, parseCheckpointText(text), nowSeconds());
  await api.handInCosignature(assembleNote(text, [line]));
}

/** What a device believes that has replayed the log up to this note. */
export function anchorOf(api: RelayApi, note: Uint8Array): Promise<Anchor> {
  return settle({ primitives, source: api }, note, []);
}

/** Whom a device looks up: itself, the admins, and people at random. */
export function namesOf(state: DirectoryState, self: HeadName & { of: 'device' }): HeadName[] {
  const members = [...state.members.values()].filter(({ removedAt }) => removedAt === null);
  const admins = members.filter(({ role }) => role === 'admin');
  const own = state.devices.get(self.id)?.member;
  const contacts = Array.from(
    { length: CONTACTS },
    () => members[Math.floor(Math.random() * members.length)],
  );
  const people = [...admins, ...contacts].flatMap((member) => (member === undefined ? [] : member.id));
  const ids = [...new Set(own === undefined ? people : [own, ...people])];
  return [self, ...ids.map((id) => ({ of: 'member', id }) as const)];
}

/**
 * One step of trust to what the relay shows now, and everybody looked up under it.
 */
export async function followByProofs(
  api: RelayApi,
  anchor: Anchor,
  names: readonly HeadName[],
): Promise<{ anchor: Anchor; heads: readonly (Uint8Array | null)[] }> {
  const tools = { primitives, source: api };
  const next = await advanceAnchor(tools, anchor, await api.readCheckpoint(), nowSeconds());
  return { anchor: next, heads: await readHeads(tools, next.checkpoint, names) };
}

/** Throws unless the step led to the log that was replayed, and the members are as it says. */
export function assertAgrees(
  { checkpoint }: Anchor,
  heads: readonly (Uint8Array | null)[],
  names: readonly HeadName[],
  state: DirectoryState,
): void {
  if (!equalBytes(checkpoint.root, state.root)) throw new Error('proofs lead to another log than a replay');
  for (const [i, name] of names.entries()) {
    const leaf = heads[i] ?? null;
    if (leaf === null) throw new Error('a head is not there');
    if (name.of !== 'member') continue;
    if (parseMemberHead(leaf).devices.join() !== state.members.get(name.id)?.activeDevices.join())
      throw new Error('proofs say something else of a member than a replay');
  }
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
