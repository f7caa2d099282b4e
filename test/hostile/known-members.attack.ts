import { deviceIdOf, signBytes, type DeviceId, type Signer } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom } from '@keytide/crypto-core/node';
import { join, memoryDeviceStore } from '@keytide/client';
import {
  createGenesis,
  encodeEntry,
  encodeEntryWire,
  inviteIdOf,
  parseEntry,
  parseInviteLink,
  publishKeys,
  replay,
  type EntryBody,
} from '@keytide/key-directory';
import {
  addGhost,
  claimSize,
  forgeEntry,
  forgeGroupLog,
  forgeMembershipLog,
  keepCalls,
  replayEntry,
  seededDevice,
  stripEntry,
  swapRelayKey,
  type SeededDevice,
  type Stripping,
} from '@keytide/testkit/hostile-relay';
import { expect, test } from 'vitest';
import { verdictOf } from './evidence.ts';
import { inviteOf } from './invite-of.ts';
import { burgle, forgeEpoch, type Loot } from './loot.ts';
import { noonPorts, now } from './noon-ports.ts';
import { rawAppend, rawLogin } from './raw-session.ts';
import { remove } from './removal.ts';
import { signerIn } from './seeds.ts';
import { codesOf, definition, goesOn, stops, until, type Person, type Stage } from './stage.ts';

/** How others let somebody in, or let somebody act, who should not have been: each is refused here, with proof. */
export function knownMembershipBreaks(stage: () => Stage): void {
  /** Shows bo this entry as the newest of the log, signed by the relay; what the evidence says of it. */
  async function refusalOf(bo: Person, loot: Loot, entry: Uint8Array): Promise<unknown> {
    const { hostile, relayKey } = stage();
    forgeMembershipLog(hostile, bo.client.device, () => [...loot.wires, entry], relayKey);
    claimSize(hostile, bo.client.device, loot.wires.length + 1);
    const error = await stops(bo);
    expect(error.code).toBe('relay-forked');
    const { claim, refused } = verdictOf(stage(), error, bo);
    return { claim, ...refused };
  }

  // Quiet, security audit of 2026 (github.com/TryQuiet/quiet/issues/3444): links of the membership chain were
  // encrypted and never signed. Keybase, "Fast Team Loader": signatures of team links were not checked.
  test.each<[Stripping, string]>([
    ['zeros', 'bad-signature'],
    ['no-bytes', 'malformed'],
    ['none', 'malformed'],
  ])('unsigned links accepted: %s in place of the signature', async (how, code) => {
    const { ada, bo } = await stage().pair();
    const loot = await burgle(ada);
    const role = { kind: 'role', member: bo.client.member, role: 'admin' } as const;
    const entry = stripEntry(forgeEntry(primitives, loot.directory, loot.signer, role), how);
    expect(await refusalOf(bo, loot, entry)).toEqual({ claim: 'refused-entry', index: 3, code });
    expect(bo.client.members().map((member) => member.role)).toEqual(['admin', 'member']);
  });

  // Quiet, security audit of 2026 (issues 3444 and 3455): nothing bound the author that a link names to a key, so a
  // member wrote as an admin, and registered a device under another member's account.
  test('a link is signed by another than its author', async () => {
    const { ada, bo } = await stage().pair();
    const loot = await burgle(ada);
    const body = { kind: 'role', member: bo.client.member, role: 'admin' } as const;
    const entry = inTheNameOf(ada.client.device, await signerIn(bo.store), loot, body);
    expect(await refusalOf(bo, loot, entry)).toMatchObject({ index: 3, code: 'bad-signature' });
  });

  // Quiet, security audit of 2026 (issue 3431): of all generations of a key, the highest number was taken, whoever
  // had made it. The Update Framework calls a version far ahead a fast-forward attack (TUF specification, 1.5.2).
  test('highest number wins', async () => {
    const { ada, bo } = await stage().pair();
    const loot = await burgle(ada);
    const thief = await burgle(bo);
    const log = forgeGroupLog(stage().hostile, bo.client.device);
    const { hash } = loot.statements.at(-1) as Loot['statements'][number];
    const ahead = await forgeEpoch(thief, { previous: { epoch: 1_000_000, hash } });
    expect(await codesOf(ada, bo, () => log.insert(ahead.entry))).toEqual(['tampered']);
    claimSize(stage().hostile, bo.client.device, 1_000_000_000);
    await goesOn(ada, bo);
    expect([bo.client.epoch, bo.client.directorySize]).toEqual([1, 3]);
  });

  // Quiet, security audit of 2026 (issue 3456): whoever saw the proof of an invitation could show it again and was
  // let in; the server that passes it on sees all of them.
  test('a replayed invitation', async () => {
    const { ada, bo } = await stage().pair();
    const link = await ada.client.invite();
    const invite = inviteOf(link);
    const kept = keepCalls(stage().hostile, (call) => call.who === invite && call.method === 'POST');
    const ghost = ghostDevice();
    const options = { definition, ports: noonPorts, store: memoryDeviceStore(), link, handle: 'cy' };
    const cy = await join(options);
    await cy.close();
    expect(kept.calls.map(({ path }) => path.split('/').at(-1))).toEqual(['challenges', 'sessions', 'log']);
    // All of it once more, as it was: no session, and the same bytes at the place where they are.
    const [, session, entry] = await kept.again();
    expect(session).toMatchObject({ status: 401, body: { code: 'login-refused' } });
    expect(entry).toEqual({ status: 201, body: { index: 4 } });
    // And the joiner's proof under the keys of a ghost, shown to bo by the accomplice.
    await goesOn(ada, bo);
    const loot = await burgle(ada);
    expect(loot.wires).toHaveLength(5);
    const { body } = parseEntry(primitives, loot.wires.at(-1) as Uint8Array);
    if (body.kind !== 'join') throw new Error('the newest entry is the join');
    const keys = publishKeys(primitives, ghost.own);
    const forged = forgeEntry(primitives, loot.directory, ghost.signer, { ...body, ...keys });
    expect(await refusalOf(bo, loot, forged)).toMatchObject({ claim: 'refused-entry', code: 'invite-used' });
    expect(bo.client.members().map(({ handle }) => handle)).toEqual(['ada', 'bo', 'cy']);
  });

  // The same, with the very entry: it counts once, at its place.
  test('a replayed entry of the membership log', async () => {
    const { ada, bo } = await stage().pair();
    const { hostile, relayKey } = stage();
    replayEntry(hostile, bo.client.device, 2, relayKey);
    claimSize(hostile, bo.client.device, 4);
    const error = await stops(bo);
    expect(verdictOf(stage(), error, bo)).toMatchObject({ refused: { index: 3, code: 'wrong-predecessor' } });
    expect(ada.client.members()).toHaveLength(2);
  });

  // Rösler, Mainka, Schwenk, "More is Less" (EuroS&P 2018): who controls the server adds a member to a group of
  // WhatsApp. Albrecht, Celi, Dowling, Jones, "Practically-exploitable Cryptographic Vulnerabilities in Matrix"
  // (S&P 2023): the same for rooms of Matrix. Quiet, security audit of 2026 (issue 3454): the storage service.
  test('the relay adds itself', async () => {
    const { ada, bo } = await stage().pair();
    const { hostile, relayKey } = stage();
    const ghost = ghostDevice();
    addGhost(hostile, bo.client.device, { primitives, ghost, member: null, key: relayKey });
    claimSize(hostile, bo.client.device, 4);
    const error = await stops(bo);
    expect(error).toMatchObject({ code: 'relay-forked', cause: { code: 'invite-unknown' } });
    expect(verdictOf(stage(), error, bo)).toMatchObject({ refused: { index: 3, code: 'invite-unknown' } });
    await ada.client.collections.chat.append({ text: 'who reads this?' });
    await ada.client.settled();
    expect(bo.client.members()).toHaveLength(2);
  });

  // Albrecht, Celi, Dowling, Jones (S&P 2023): a homeserver of Matrix adds a device to a user, and is sent keys.
  test('the relay adds a device to a member', async () => {
    const { ada, bo } = await stage().pair();
    const { hostile, relayKey } = stage();
    const ghost = ghostDevice();
    addGhost(hostile, bo.client.device, { primitives, ghost, member: ada.client.member, key: relayKey });
    claimSize(hostile, bo.client.device, 4);
    const error = await stops(bo);
    expect(verdictOf(stage(), error, bo)).toMatchObject({ refused: { index: 3, code: 'invite-unknown' } });
    expect(bo.client.devices()).toHaveLength(2);
  });

  // Keybase, "Team Box Auditor": a stolen laptop is revoked, and the server acts as if it was not.
  test('a revoked key signs', async () => {
    const { ada, bo } = await stage().pair();
    const eve = await stage().admit(ada, 'eve', { role: 'admin' });
    await goesOn(eve, bo);
    const stolen = await signerIn(eve.store);
    await remove(stage(), ada, eve);
    await until(() => bo.client.members().length === 2, 'bo to learn of the removal');
    const loot = await burgle(ada);
    const body = { kind: 'remove-member', member: ada.client.member } as const;
    const entry = forgeEntry(primitives, loot.directory, stolen, body);
    expect(await refusalOf(bo, loot, entry)).toMatchObject({ code: 'author-not-active' });
    expect(bo.client.members().map(({ handle }) => handle)).toEqual(['ada', 'bo']);
  });

  // matrix-js-sdk, CVE-2022-39250: the id of a signing key was taken for that of a device, so a server had its own
  // key verified in place of a user's.
  test('a key id is mistaken for a device id', async () => {
    const { ada, bo } = await stage().pair();
    const link = await ada.client.invite();
    await until(() => bo.client.directorySize === 4, 'bo to know the invite');
    const loot = await burgle(ada);
    const { hostile, relayKey } = stage();
    const inviteSigner = parseInviteLink(link).seed.use((seed) => primitives.signer(seed));
    const login = { url: hostile.url, relayName: hostile.url, org: ada.client.org };
    const confused = [
      { subject: { kind: 'device', id: inviteOf(link) } as const, signer: inviteSigner },
      { subject: { kind: 'invite', id: ada.client.device } as const, signer: loot.signer },
      { subject: { kind: 'device', id: deviceIdOf(primitives, inviteSigner.publicKey) } as const },
      { subject: { kind: 'invite', id: inviteIdOf(primitives, loot.signer.publicKey) } as const },
    ];
    for (const { subject, signer = inviteSigner } of confused)
      expect((await rawLogin({ ...login, subject, signer })).body.code).toBe('login-refused');
    // The invite's key and the relay's are in the log, under ids of their own: neither is a device.
    const role = { kind: 'role', member: bo.client.member, role: 'admin' } as const;
    const byInvite = forgeEntry(primitives, loot.directory, inviteSigner, role);
    const subject = { kind: 'invite', id: inviteOf(link) } as const;
    const answer = await rawAppend({ ...login, subject, signer: inviteSigner }, byInvite);
    expect(answer.body.code).toBe('not-a-member');
    const byRelay = forgeEntry(primitives, loot.directory, relayKey.signer, role);
    expect(await refusalOf(bo, loot, byRelay)).toMatchObject({ index: 4, code: 'unknown-author' });
  });

  // Albrecht, Backendal, Coppola, Paterson, "Share with Care: Breaking E2EE in Nextcloud" (EuroS&P 2024), and
  // Hofmann, Truong, "End-to-End Encrypted Cloud Storage in the Wild" (CCS 2024): keys of the people one shares with
  // came from the server, which gave its own.
  test('the server supplies the key of who invites', async () => {
    const { ada } = await stage().pair();
    const link = await ada.client.invite();
    const { wires, directory } = await burgle(ada);
    const other = ghostDevice();
    // The same handle, the same policy and the very same invite, under keys of the server.
    const genesis = createGenesis({
      primitives,
      random: nodeRandom,
      device: other.own,
      handle: 'ada',
      policy: directory.policy,
      nowMs: now(),
    });
    const invite = parseEntry(primitives, wires.at(-1) as Uint8Array).body;
    const forged = [genesis, forgeEntry(primitives, replay(primitives, [genesis]), other.signer, invite)];
    const { hostile, relayKey } = stage();
    forgeMembershipLog(hostile, inviteOf(link), () => forged, relayKey);
    swapRelayKey(hostile, other.signer.publicKey);
    const kept = keepCalls(hostile, (call) => call.method === 'POST' && call.path.endsWith('/log'));
    const options = { definition, ports: noonPorts, store: memoryDeviceStore(), link, handle: 'cy' };
    await expect(join(options)).rejects.toMatchObject({ code: 'relay-forked' });
    expect((await options.store.journal('membership')).length).toBe(0);
    expect(kept.calls).toEqual([]);
  });
}

/** A device of the attacker, whose sealing key is in force at any time of these logs. */
function ghostDevice(): SeededDevice {
  return seededDevice(primitives, nodeRandom, now() - 3_600_000);
}

/** An entry that names one device as its author and is signed by another. */
function inTheNameOf(author: DeviceId, signer: Signer, { directory }: Loot, body: EntryBody): Uint8Array {
  const { org, size: index, headHash: previousHash, timeMs } = directory;
  const bytes = encodeEntry({ org, index, previousHash, timeMs: timeMs + 1, author, body });
  const signature = signBytes(primitives, signer, 'entrySignature', bytes);
  return encodeEntryWire(bytes, [{ device: author, signature }]);
}
