import {
  claimSize,
  forgeMembershipLog,
  forkMembershipLog,
  freezeMembershipLog,
  lieAboutTime,
  reorderEntries,
  reorderMessages,
  replayMessages,
  rollBackMembershipLog,
  shortenPages,
  stripCheckpointSignatures,
  truncateAnswers,
  truncateFrames,
  withholdEntries,
  withholdMessages,
} from '@keytide/testkit/hostile-relay';
import { expect, test } from 'vitest';
import { sizesIn, verdictOf } from './evidence.ts';
import { burgle } from './loot.ts';
import { now } from './noon-ports.ts';
import { remove } from './removal.ts';
import {
  failureCodes,
  goesOn,
  heard,
  hears,
  says,
  stops,
  unreadable,
  until,
  type Person,
  type Stage,
} from './stage.ts';

/** Views that are split, old, cut or in another order: refused, or found out when they are put together again. */
export function knownViewBreaks(stage: () => Stage): void {
  // Certificate Transparency calls it a split view (RFC 6962, 2013, 7.3; RFC 9162, 2021, 11.3). Mazières, Shasha,
  // "Building secure file systems out of Byzantine storage" (PODC 2002): a server that has forked its clients must
  // never let them meet again. Keybase, "Keybase is now writing to the Bitcoin blockchain", says so of its own.
  test('a split view that is healed later', async () => {
    const ada = await stage().found();
    const bo = await stage().admit(ada, 'bo', { role: 'admin' });
    await goesOn(ada, bo);
    const { hostile, relayKey } = stage();
    const fork = forkMembershipLog(hostile, [bo.client.device], 3, relayKey);
    await bo.client.invite();
    await ada.client.invite();
    expect([ada.client.directorySize, bo.client.directorySize]).toEqual([4, 4]);
    expect(fork.own).toHaveLength(1);
    await bo.client.online();
    // Put together again, and grown beyond both, so that neither is an older state of the other.
    await ada.client.invite();
    fork.heal();
    const error = await stops(bo);
    expect(error.code).toBe('relay-forked');
    expect(verdictOf(stage(), error, bo)).toMatchObject({ claim: 'forked' });
    expect(ada.client.state.kind).toBe('online');
  });

  // The same for the messages: of each two, one goes to one member and one to the other, and both get the rest
  // later. Each view by itself has no gap in its numbers.
  test('an odd-even fork of the messages, merged later', async () => {
    const { ada, bo } = await stage().pair();
    const cy = await stage().admit(ada, 'cy');
    await goesOn(cy, ada);
    await goesOn(cy, bo);
    const { hostile } = stage();
    const odd = withholdMessages(hostile, bo.client.device, (nth) => nth % 2 === 0);
    const even = withholdMessages(hostile, cy.client.device, (nth) => nth % 2 === 1);
    for (const text of ['one', 'two', 'three', 'four']) {
      await says(ada, text);
      await ada.client.settled();
    }
    await hears(bo, 'three');
    await hears(cy, 'four');
    expect(
      [heard(bo), heard(cy)].map((texts) => texts.filter((text) => /one|two|three|four/.test(text))),
    ).toEqual([
      ['one', 'three'],
      ['two', 'four'],
    ]);
    // Before anything is put together, each knows that something is missing.
    expect(bo.missing.map(({ device }) => device)).toEqual([ada.client.device]);
    expect(cy.missing.map(({ device }) => device)).toEqual([ada.client.device, ada.client.device]);
    odd.release();
    even.release();
    const late = (person: Person): number =>
      unreadable(person).filter((code) => code === 'out-of-order').length;
    await until(() => late(bo) === 1 && late(cy) === 2, 'the rest to come');
    expect(
      [heard(bo), heard(cy)].map((texts) => texts.filter((text) => /one|two|three|four/.test(text))),
    ).toEqual([
      ['one', 'three', 'four'],
      ['two', 'four'],
    ]);
    await goesOn(bo, cy);
    expect(bo.divergence.length + cy.divergence.length).toBeGreaterThan(0);
  });

  // The same for the membership log, where no half of it is a log.
  test.each([
    ['odd', 0],
    ['even', 1],
  ])('an odd-even fork of the membership log: only the %s entries', async (_, parity) => {
    const { ada, bo } = await stage().pair();
    const { hostile, relayKey } = stage();
    const isShown = (index: number): boolean => index < 3 || index % 2 === parity;
    const half = (wires: readonly Uint8Array[]) => wires.filter((__, index) => isShown(index));
    const relent = forgeMembershipLog(hostile, bo.client.device, half, relayKey);
    for (let entries = 0; entries < 3; entries += 1) await ada.client.invite();
    const error = await stops(bo);
    expect(verdictOf(stage(), error, bo)).toMatchObject({ refused: { code: 'wrong-predecessor' } });
    relent();
    await goesOn(await stage().reopen(bo), ada);
  });

  // The Update Framework: rollback attack (TUF specification, 1.5.2); go-tuf, CVE-2022-29173: versions were compared
  // with nothing.
  test('rollback: the log as it was before', async () => {
    const { ada, bo } = await stage().pair();
    await ada.client.invite();
    await ada.client.invite();
    await until(() => bo.client.directorySize === 5, 'bo to take the entries');
    await goesOn(ada, bo);
    const { hostile, relayKey } = stage();
    rollBackMembershipLog(hostile, bo.client.device, 4, relayKey);
    claimSize(hostile, bo.client.device, 6);
    const error = await stops(bo);
    expect(error.code).toBe('relay-forked');
    expect(sizesIn(stage(), error.evidence.slice(0, 2), bo)).toEqual([5, 4]);
    expect(bo.client.directorySize).toBe(5);
  });

  // Cappos, Samuel, Baker, Hartman, "A Look In the Mirror: Attacks on Package Managers" (CCS 2008): freeze attack.
  // What is shown is true and old, here a member who was removed since. How long this can last while nobody writes is
  // for the age of cosignatures.
  test('freeze: an old log and its checkpoint, again and again', async () => {
    const { ada, bo } = await stage().pair();
    const eve = await stage().admit(ada, 'eve');
    await goesOn(ada, bo);
    const relent = freezeMembershipLog(stage().hostile, bo.client.device);
    claimSize(stage().hostile, bo.client.device, 5);
    await goesOn(ada, bo);
    await remove(stage(), ada, eve);
    await until(() => ada.client.members().length === 2, 'ada to learn of the removal');
    await says(ada, 'eve is gone');
    await until(() => bo.failures.length > 0, 'bo to find out');
    expect(failureCodes(bo)).toEqual(['relay-misbehaved']);
    expect(heard(bo)).not.toContain('eve is gone');
    expect(bo.client.epoch).toBe(2);
    relent();
    await hears(bo, 'eve is gone');
    await goesOn(ada, bo);
  });

  // Keybase, "Team Box Auditor": the server leaves out that a device was revoked.
  test('a revocation withheld, with a checkpoint to match', async () => {
    const { ada, bo } = await stage().pair();
    const eve = await stage().admit(ada, 'eve');
    await goesOn(ada, bo);
    const { hostile, relayKey } = stage();
    const relent = withholdEntries(hostile, bo.client.device, bo.client.directorySize, relayKey);
    await ada.client.revokeDevice(eve.client.device);
    await says(ada, 'that phone is stolen');
    await until(() => bo.failures.length > 0, 'bo to find out');
    expect(failureCodes(bo)).toEqual(['relay-misbehaved']);
    await says(bo, 'is it?');
    expect(bo.client.epoch).toBe(2);
    relent();
    await hears(bo, 'that phone is stolen');
    await hears(ada, 'is it?');
    expect(bo.client.epoch).toBe(3);
  });

  // RFC 9162, 2.1.4: a later tree must be the earlier one, grown. Haber, Stornetta, "How to time-stamp a digital
  // document" (1991), chains records so that none changes its place.
  test('entries of the membership log in another order', async () => {
    const { ada, bo } = await stage().pair();
    const { hostile, relayKey } = stage();
    const showAll = withholdEntries(hostile, bo.client.device, 3, relayKey);
    for (let entries = 0; entries < 2; entries += 1) await ada.client.invite();
    showAll();
    const relent = reorderEntries(hostile, bo.client.device, 3, relayKey);
    claimSize(hostile, bo.client.device, 5);
    const error = await stops(bo);
    expect(verdictOf(stage(), error, bo)).toMatchObject({ refused: { index: 3, code: 'wrong-predecessor' } });
    relent();
    await goesOn(await stage().reopen(bo), ada);
  });

  // Rösler, Mainka, Schwenk (EuroS&P 2018): the server reorders and drops the messages of a group, unseen.
  test('messages reordered by the server', async () => {
    const { ada, bo } = await stage().pair();
    reorderMessages(stage().hostile, bo.client.device);
    await says(ada, 'first');
    await ada.client.settled();
    await says(ada, 'second');
    await hears(bo, 'second');
    await until(() => unreadable(bo).length === 1, 'the first message');
    expect(unreadable(bo)).toEqual(['out-of-order']);
    expect(bo.missing).toEqual([{ device: ada.client.device, from: 1, to: 1 }]);
  });

  // The same paper: a message is delivered again. Here it shows once.
  test('messages replayed by the server', async () => {
    const { ada, bo } = await stage().pair();
    replayMessages(stage().hostile, bo.client.device);
    await says(ada, 'only once');
    await hears(bo, 'only once');
    await until(() => unreadable(bo).length === 1, 'the second of it');
    expect(unreadable(bo)).toEqual(['replayed']);
    expect(heard(bo).filter((text) => text === 'only once')).toHaveLength(1);
  });

  // Malhotra, Cohen, Brakke, Goldberg, "Attacking the Network Time Protocol" (NDSS 2016): moved clocks make old
  // things valid and new ones invalid.
  test.each([
    ['ahead', 3_650],
    ['behind', -3_650],
  ])('the relay’s clock is ten years %s', async (_, days) => {
    const { ada, bo } = await stage().pair();
    lieAboutTime(stage().hostile, null, days * 86_400_000);
    for (const person of [ada, bo])
      for (const link of stage().hostile.linksOf(person.client.device)) link.cut();
    await goesOn(ada, bo);
    const cy = await stage().admit(ada, 'cy');
    await goesOn(ada, cy);
    expect([ada.client.epoch, ada.client.state.kind, bo.client.state.kind]).toEqual([2, 'online', 'online']);
    const { statements, directory } = await burgle(ada);
    const times = [directory.timeMs, ...statements.map(({ createdMs }) => createdMs)];
    expect(times.every((timeMs) => Math.abs(timeMs - now()) < 600_000)).toBe(true);
  });

  // Smyth, Pironti, "Truncating TLS Connections to Violate Beliefs in Web Applications" (WOOT 2013): half an answer
  // taken for a whole one.
  test('answers cut short', async () => {
    const { ada, bo } = await stage().pair();
    const { hostile } = stage();
    for (const keptBytes of [0, 1, 40]) {
      const before = bo.failures.length;
      const relent = truncateAnswers(hostile, bo.client.device, keptBytes, (path) => path.includes('/log'));
      await ada.client.invite();
      await until(() => bo.failures.length > before, 'bo to refuse');
      relent();
      await goesOn(ada, bo);
    }
    expect(new Set(failureCodes(bo))).toEqual(new Set(['relay-misbehaved']));
    expect(bo.client.directorySize).toBe(6);
  });

  test('frames cut short', async () => {
    const { ada, bo } = await stage().pair();
    for (const lostBytes of [1, 7, 1_000_000]) {
      const before = bo.failures.length;
      const relent = truncateFrames(stage().hostile, bo.client.device, lostBytes);
      await says(ada, `cut by ${lostBytes}`);
      await until(() => bo.failures.length > before, 'bo to refuse');
      relent();
      await hears(bo, `cut by ${lostBytes}`);
    }
    await goesOn(ada, bo);
    expect([unreadable(bo), bo.missing, bo.divergence]).toEqual([[], [], []]);
  });

  test('pages that end early', async () => {
    const { ada, bo } = await stage().pair();
    shortenPages(stage().hostile, bo.client.device, 1);
    for (let entries = 0; entries < 3; entries += 1) await ada.client.invite();
    await until(() => bo.client.directorySize === 6, 'bo to read on');
    await goesOn(ada, bo);
    shortenPages(stage().hostile, bo.client.device, 0);
    await ada.client.invite();
    await until(() => bo.failures.length > 0, 'bo to be shown nothing');
    expect(failureCodes(bo)).toEqual(['relay-misbehaved']);
  });

  // C2SP signed-note: a text counts for nothing unless a key that is trusted has signed it.
  test('a checkpoint without the log’s own signature', async () => {
    const { ada, bo } = await stage().pair();
    const relent = stripCheckpointSignatures(stage().hostile, bo.client.device, () => true);
    await ada.client.invite();
    await until(() => bo.failures.length > 0, 'bo to refuse');
    expect(failureCodes(bo)).toEqual(['relay-misbehaved']);
    relent();
    await goesOn(ada, bo);
  });
}
