import type { DeviceId, OrgId } from '@keytide/crypto-core';
import type { Checkpoint } from '../checkpoint.ts';
import { parseEntry } from '../entry.ts';
import { DirectoryError } from '../errors.ts';
import { inviteIdOf, type InviteId } from '../invite-id.ts';
import { originOf } from '../note/checkpoint-text.ts';
import { deviceNoteName } from '../note/key.ts';
import type { SignedNote } from '../note/note.ts';
import { openMapNote, settle, type Anchor } from './anchor.ts';
import { cosignersOf } from './cosigners.ts';
import { requireConsistent, requireIncluded } from './in-log.ts';
import { requireEntry, type ProofTools } from './source.ts';

/** What an invite link tells, its secret left out. */
export interface InvitedTo {
  readonly org: OrgId;
  readonly invite: InviteId;
  /** Of a log that holds the invite. */
  readonly checkpoint: Checkpoint;
}

/** How far the log may have grown between an invite and the checkpoint in its link. */
const MAX_SEARCH = 64;

/**
 * The first anchor of whoever holds an invite link. The link's checkpoint names a log, in it stands the invite, and
 * who signed it; this device's cosignature makes the map of the note believed. That device has to be an active
 * admin's: the link is the inviter's word, and so is this. Take a step with `advanceAnchor` before anything is looked up.
 * @throws DirectoryError `unwitnessed` where the inviting device has not cosigned the note; `rolled-back` for a note
 *   of before the link; `invite-unknown` where the link's last entries do not show the invite, so that only a replay
 *   will do; `bad-proof` for another log, and as `advanceAnchor`
 */
export async function anchorByInvite(
  tools: ProofTools,
  { org, invite, checkpoint: linked }: InvitedTo,
  note: Uint8Array,
  nowSeconds: number,
): Promise<Anchor> {
  const { parsed, checkpoint } = openMapNote(note);
  if (checkpoint.origin !== originOf(org))
    throw new DirectoryError('wrong-organisation', 'a checkpoint of another log');
  if (checkpoint.size < linked.size)
    throw new DirectoryError('rolled-back', 'a checkpoint of before the invite', { evidence: [note] });
  await requireConsistent(tools, linked, checkpoint);
  const inviter = await inviterIn(tools, linked, invite);
  const search = { under: [checkpoint], known: [], needed: Infinity, maxAgeSeconds: nowSeconds, nowSeconds };
  const cosigners = await cosignersOf(tools, onlyBy(parsed, inviter), search);
  if (cosigners.length === 0)
    throw new DirectoryError(
      'unwitnessed',
      'the device that made the invite has not cosigned this checkpoint',
    );
  return await settle(tools, note, cosigners);
}

/** The device that signed the invite, by the log that the link names. @throws DirectoryError `invite-unknown`, `bad-proof`, `not-stored` */
async function inviterIn(tools: ProofTools, log: Checkpoint, invite: InviteId): Promise<DeviceId> {
  const { primitives, source } = tools;
  for (let index = log.size - 1; index >= Math.max(0, log.size - MAX_SEARCH); index -= 1) {
    const wire = await requireEntry(source, index);
    const { body, author } = parseEntry(primitives, wire);
    if (body.kind !== 'invite' && body.kind !== 'invite-device') continue;
    if (inviteIdOf(primitives, body.publicKey) !== invite) continue;
    await requireIncluded(tools, log, index, wire);
    return author;
  }
  // Also where it was proposed: such a link names the log of before, and a relay may not be blamed for that.
  throw new DirectoryError('invite-unknown', 'the invite is not in the log of its link');
}

function onlyBy(note: SignedNote, device: DeviceId): SignedNote {
  const name = deviceNoteName(device);
  return { ...note, signatures: note.signatures.filter((line) => line.name === name) };
}
