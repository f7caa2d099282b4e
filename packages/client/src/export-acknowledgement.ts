import { adminsWhoSigned, type ArchiveStats, type SignedManifest } from '@keytide/archive';
import { decodeCbor, encodeCbor, equalBytes } from '@keytide/crypto-core';
import { adminsNeeded } from '@keytide/key-directory';
import type { ClientCore } from './client-core.ts';
import { coreOf, type Client } from './client.ts';
import type { Declarations } from './collection.ts';
import { lackingIn, type Lacking } from './export-lacking.ts';
import { rootInJournal } from './journal-root.ts';

/** What became of it: said, or why the relay may not forget by this archive. */
export type Acknowledgement =
  | 'acknowledged'
  | 'empty' // nobody has written anything: there is nothing to forget
  | 'filtered' // it has not everything
  | 'begins-later' // nobody has said that what comes before it was exported
  | 'approval-needed' // fewer have signed it, of those who are admins now, than the policy in it asks for
  | 'other-log' // it is not of the log that this device has, or goes further
  | Lacking; // keys, or attachments, are missing that another device may have

/** What of an archive has to be there. */
export interface AcknowledgeChoice {
  /** Also where keys or attachments are missing that another device may have: the relay forgets those as well. */
  readonly evenIfLacking?: boolean;
}

/**
 * Says, signed, that the log is exported up to the end of an archive, with the attachments that it names: from then on
 * the relay may forget both at their time. Call it when the archive is durable, and verified, with what
 * `readArchiveStats` says of the very archive that was verified. It is said only of an archive that leaves nothing out,
 * from where this device has said it before, or from where the relay's log begins; and only what this device has itself:
 * for an old one it reads its copy of the log. Where the policy asks for more admins, those count who are admins still.
 * @throws ClientError `offline`, `relay-refused`, `relay-misbehaved`, `source-changed` when the relay lost entries meanwhile
 */
export async function acknowledgeArchive<D extends Declarations>(
  client: Client<D>,
  { signed, ...stats }: Pick<ArchiveStats, 'signed' | 'groups' | 'attachments'>,
  { evenIfLacking = false }: AcknowledgeChoice = {},
): Promise<Acknowledgement> {
  const { manifest } = signed;
  const core = coreOf(client);
  const { everyone } = core.parts.directory.state;
  const archived = manifest.groups.find(({ group }) => group === everyone);
  if (manifest.org !== core.identity.org || archived === undefined) return 'other-log';
  const { before, throughSeq, root } = archived;
  if (throughSeq === 0) return 'empty';
  const own = core.replica.rootAt(throughSeq) ?? (await rootInJournal(core, throughSeq));
  if (own === null || !equalBytes(own, root)) return 'other-log';
  if (manifest.filter !== null) return 'filtered';
  const membership = core.parts.directory.rootAt(manifest.membership.size);
  if (membership === null || !equalBytes(membership, manifest.membership.root)) return 'other-log';
  if (!isApproved(core, signed)) return 'approval-needed';
  if (before.size > (await throughIn(core))) return 'begins-later';
  const lacking = evenIfLacking ? null : lackingIn(stats);
  if (lacking !== null) return lacking;
  await client.acknowledgeExport({ throughSeq, root });
  await core.store.keys.write([{ name: nameOf(core), value: encodeCbor(throughSeq) }]);
  return 'acknowledged';
}

function isApproved({ parts: { directory }, log }: ClientCore, signed: SignedManifest): boolean {
  const then = directory.stateAt(signed.manifest.membership.size);
  const needed = adminsNeeded(then.policy, 'export');
  if (needed <= 1) return true;
  return adminsWhoSigned(log.ports.primitives, signed, [then, directory.state]) >= needed;
}

/** Through which seq this device has said that the log is exported, or the relay has forgotten it. */
export function acknowledgedThrough<D extends Declarations>(client: Client<D>): Promise<number> {
  return throughIn(coreOf(client));
}

async function throughIn(core: ClientCore): Promise<number> {
  const stored = await core.store.keys.get(nameOf(core));
  const said = stored === null ? 0 : (decodeCbor(stored, 16) as number);
  return Math.max(said, (core.replica.floor?.firstSeq ?? 1) - 1);
}

/** `exported/GROUP` in the key store: CBOR, through which seq. */
function nameOf(core: ClientCore): string {
  return `exported/${core.parts.directory.state.everyone}`;
}
