import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { createPolicyChange, createRevokeDevice, createRoleChange } from '@keytide/key-directory';
import type { SeededDevice } from '@keytide/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  addApproval,
  approvalUnder,
  exportArchive,
  readArchive,
  readSignedManifest,
  verifyArchive,
  type ArchiveReport,
  type SignedManifest,
} from '../src/index.ts';
import { parseApproval } from '../src/container/approval.ts';
import { parseManifestFile } from '../src/container/bag.ts';
import { identities, optionsFor, someDays } from './exporting.ts';
import { copyOf } from './forging.ts';
import { memoryDestination, type MemoryDestination } from './memory-destination.ts';
import type { WorldSource } from './world-source.ts';

let source: WorldSource;
let archive: MemoryDestination;
let signed: SignedManifest;

/** Two admins are asked for. 0 and 1 are admins; 2 is none; 1 has another device, too. */
beforeAll(async () => {
  source = await someDays({ devicesPerMember: 2 });
  const { world } = source;
  const policy = { ...world.state.policy, approvals: { export: 2 } };
  world.append(createPolicyChange({ ...world.as(deviceOf(0)), policy }));
  archive = memoryDestination();
  ({ signed } = await exportArchive(optionsFor(source, archive)));
});

describe('an archive that further admins are to approve', () => {
  it('opens before that, and says so; nothing but the approval is missing', async () => {
    expect(await faultsIn(archive)).toEqual([['approval-needed', '1/2']]);
    const opened = await readArchive({ primitives, files: archive, identities });
    expect(opened.approvals).toEqual({ given: 1, needed: 2 });
    const entries: unknown[] = [];
    for (const { group } of opened.groups)
      for await (const entry of opened.entries(group)) entries.push(entry);
    expect(entries).toEqual(source.log);
  });

  it('is sound with one of another admin, without a change to any other file', async () => {
    const copy = copyOf(archive);
    await addApproval({ primitives, archive: copy }, by(deviceOf(1)));
    await addApproval({ primitives, archive: copy }, by(deviceOf(1)));
    const { verdict, archive: said } = await verify(copy);
    expect([verdict, said?.approvals]).toEqual(['sound', { given: 2, needed: 2 }]);
    const added = [...copy.files.keys()].filter((name) => !archive.files.has(name));
    expect(added).toEqual([`approvals/${deviceOf(1).id}`]);
    for (const [name, bytes] of archive.files) expect(copy.files.get(name)).toEqual(bytes);
    const tags = parseManifestFile(copy.files.get('tagmanifest-sha256.txt') as Uint8Array, 'tags');
    expect([...tags.keys()].filter((name) => name.startsWith('approvals/'))).toEqual([]);
    expect((await readArchive({ primitives, files: copy, identities })).approvals.given).toBe(2);
    const read = await readSignedManifest(copy);
    expect(said?.manifest).toEqual(read);
    const { signatures } = read;
    expect(signatures.map(({ device }) => device)).toEqual([deviceOf(0).id, deviceOf(1).id]);
  });

  it('takes the approvals of two copies together', async () => {
    const strict = await asked(3, 3);
    const copies = [copyOf(strict.archive), copyOf(strict.archive)] as const;
    for (const [index, copy] of copies.entries())
      await addApproval({ primitives, archive: copy }, strict.by(index + 1));
    const [one, other] = copies;
    for (const [name, bytes] of other.files) one.files.set(name, bytes);
    expect(await faultsIn(one)).toEqual([]);
    expect(await faultsIn(other)).toEqual([['approval-needed', '2/3']]);
  });

  it.each<[string, () => Uint8Array, string | null]>([
    ['no admin', () => by(deviceOf(2)), 'not-permitted'],
    ['somebody unknown', () => by(stranger()), 'not-permitted'],
    ['a device with the key of another', () => by(impostor()), 'bad-signature'],
    ['an admin, of another archive', () => by(deviceOf(1), other()), 'bad-signature'],
    ['the exporter', () => by(deviceOf(0)), null],
    ['another device of the exporter', () => by(deviceOf(0, 1)), null],
  ])('does not count one of %s', async (_who, give, fault) => {
    const approval = give();
    await expect(addApproval({ primitives, archive: copyOf(archive) }, approval)).rejects.toMatchObject({
      code: 'bad-approval',
    });
    // However it came there.
    const { device } = parseApproval(approval);
    const forced = copyOf(archive);
    forced.files.set(`approvals/${device}`, approval);
    const faults = fault === null ? [] : [[fault, device]];
    expect(await faultsIn(forced)).toEqual([...faults, ['approval-needed', '1/2']]);
  });

  it('counts an admin once, with whatever devices', async () => {
    const strict = await asked(3, 3);
    const copy = copyOf(strict.archive);
    await addApproval({ primitives, archive: copy }, strict.by(1));
    await expect(addApproval({ primitives, archive: copy }, strict.by(1, 1))).rejects.toMatchObject({
      code: 'bad-approval',
    });
    const again = strict.by(1, 1);
    copy.files.set(`approvals/${parseApproval(again).device}`, again);
    expect(await faultsIn(copy)).toEqual([['approval-needed', '2/3']]);
  });

  it('counts nobody who was an admin before, and no device that was revoked', async () => {
    const strict = await asked(2, 3, ({ world }) => {
      const founder = world.members[0].devices[0];
      world.append(createRoleChange({ ...world.as(founder), member: world.members[1]!.id, role: 'member' }));
      const device = world.members[2]!.devices[1]!.id;
      world.append(createRevokeDevice({ ...world.as(founder), device }));
    });
    for (const approval of [strict.by(1), strict.by(2, 1)]) {
      const { device } = parseApproval(approval);
      const copy = copyOf(strict.archive);
      copy.files.set(`approvals/${device}`, approval);
      expect(await faultsIn(copy)).toEqual([
        ['not-permitted', device],
        ['approval-needed', '1/2'],
      ]);
    }
    await addApproval({ primitives, archive: strict.archive }, strict.by(2));
    expect(await faultsIn(strict.archive)).toEqual([]);
  });

  it('names a file that is none, is cut short, or has the name of another device', async () => {
    const name = `approvals/${deviceOf(1).id}`;
    const approval = by(deviceOf(1));
    const altered = approval.slice();
    altered[approval.length - 1]! ^= 1;
    for (const [bytes, code] of [
      [approval.slice(0, -1), 'malformed'],
      [new Uint8Array(300), 'malformed'],
      [altered, 'bad-signature'],
      [by(deviceOf(2)), 'malformed'],
    ] as const) {
      const copy = copyOf(archive);
      copy.files.set(name, bytes);
      const { findings } = await verify(copy);
      expect(findings.map((finding) => [finding.code, finding.file])).toEqual([
        [code, name],
        ['approval-needed', 'signed-manifest'],
      ]);
    }
    await expect(addApproval({ primitives, archive }, approval.slice(0, -1))).rejects.toMatchObject({
      code: 'malformed',
    });
  });
});

function by(device: Pick<SeededDevice, 'id' | 'signer'>, under = signed): Uint8Array {
  return approvalUnder(primitives, under, { device: device.id, signer: device.signer });
}

function deviceOf(member: number, device = 0, of = source): SeededDevice {
  const found = of.world.members[member]?.devices[device];
  if (found === undefined) throw new RangeError('no such device');
  return found;
}

const impostor = () => ({ id: deviceOf(1).id, signer: deviceOf(2).signer });
const stranger = () => ({ id: 'cd'.repeat(32) as SeededDevice['id'], signer: deviceOf(2).signer });
const other = () => ({ ...signed, bytes: signed.bytes.slice(0, -1) });

/** An archive for which so many admins are asked, of so many that there are, after something has happened. */
async function asked(needed: number, admins: number, happens: (source: WorldSource) => void = () => {}) {
  const strict = await someDays({ devicesPerMember: 2, admins });
  const { world } = strict;
  happens(strict);
  const policy = { ...world.state.policy, approvals: { export: needed } };
  world.append(createPolicyChange({ ...world.as(world.members[0].devices[0]), policy }));
  const made = memoryDestination();
  const exported = await exportArchive(optionsFor(strict, made));
  return {
    archive: made,
    by: (member: number, device = 0) => by(deviceOf(member, device, strict), exported.signed),
  };
}

function verify(files: MemoryDestination): Promise<ArchiveReport> {
  return verifyArchive({ primitives, files, org: source.org });
}

async function faultsIn(files: MemoryDestination): Promise<(string | null)[][]> {
  const { findings } = await verifyArchive({ primitives, files });
  return findings.map(({ code, detail }) => [code, detail]);
}
