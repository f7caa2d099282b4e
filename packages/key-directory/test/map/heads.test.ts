import { encodeCbor, idBytes, toHex, type CborValue, type MemberId } from '@keytide/crypto-core';
import {
  changedHeads,
  createRemoveMember,
  createRoleChange,
  createWipe,
  deviceKey,
  EMPTY_MAP_ROOT,
  headsOf,
  mapRoot,
  memberKey,
  newMemberId,
  organisationKey,
  parseDeviceHead,
  parseEntry,
  parseMemberHead,
  parseOrganisationHead,
  proveLookup,
  replay,
  sealingHash,
  updateMap,
  verifyLookup,
  type DeviceHead,
  type DirectoryState,
  type MemberHead,
  type OrganisationHead,
} from '@keytide/key-directory';
import { describe, expect, test } from 'vitest';
import { codeFrom, stranger } from '../forge.ts';
import { eventfulWorld, everyKindWorld } from '../history.ts';
import { NodeStore } from './node-store.ts';

const world = eventfulWorld('heads');
const { primitives } = world;

/** The state after each entry, built one entry after the other as a relay does. */
const states = ((): DirectoryState[] => {
  const list: DirectoryState[] = [];
  for (const wire of world.wires) list.push(replay(primitives, [wire], list.at(-1) ?? null));
  return list;
})();
const last = states.at(-1) as DirectoryState;

describe('the map of an organisation', () => {
  test('kept up entry by entry is the map of the state, and each old root can be looked up in', async () => {
    const store = new NodeStore();
    const roots: Uint8Array[] = [];
    for (const [i, state] of states.entries()) {
      const changes = changedHeads(primitives, states[i - 1] ?? null, state);
      roots.push(store.keep(await updateMap(primitives, store, roots[i - 1] ?? EMPTY_MAP_ROOT, changes)));
      expect(toHex(roots[i] as Uint8Array)).toBe(toHex(mapRoot(primitives, headsOf(primitives, state))));
    }
    for (const [i, state] of states.entries()) {
      const root = roots[i] as Uint8Array;
      for (const id of last.devices.keys()) {
        const key = deviceKey(primitives, id);
        const leaf = verifyLookup(primitives, root, key, await proveLookup(primitives, store, root, key));
        expect(leaf === null).toBe(!state.devices.has(id));
      }
    }
  });

  test('changes only where an entry changed something', () => {
    for (const [i, state] of states.entries()) {
      const before = states[i - 1];
      if (before === undefined) continue;
      const old = new Map(headsOf(primitives, before).map(({ key, leaf }) => [toHex(key), toHex(leaf)]));
      const changed = new Set(changedHeads(primitives, before, state).map(({ key }) => toHex(key)));
      for (const { key, leaf } of headsOf(primitives, state))
        if (old.get(toHex(key)) !== toHex(leaf)) expect(changed.has(toHex(key))).toBe(true);
      expect(changed.size).toBeLessThanOrEqual(7);
    }
  });

  test('tells of each head the newest entry that changed it', () => {
    const seen = new Map<string, { text: string; since: number }>();
    for (const [i, state] of states.entries()) {
      for (const { key, leaf } of headsOf(primitives, state)) {
        const { since, ...rest } = headAt(state, toHex(key), leaf);
        const text = JSON.stringify(rest, (_, value: unknown) =>
          value instanceof Uint8Array ? toHex(value) : value,
        );
        const before = seen.get(toHex(key));
        const expected = before?.text === text ? before.since : i;
        expect(since).toBe(expected);
        seen.set(toHex(key), { text, since: expected });
      }
    }
    expect(seen.size).toBe(last.devices.size + last.members.size + 1);
  });

  test('proves the current keys of a device with one lookup', () => {
    for (const device of last.devices.values()) {
      const item = headsOf(primitives, last).find(
        ({ key }) => toHex(key) === toHex(deviceKey(primitives, device.id)),
      );
      const head = parseDeviceHead(item?.leaf as Uint8Array);
      const isActive = device.revokedAt === null;
      expect(head).toMatchObject({
        member: device.member,
        role: isActive ? last.members.get(device.member)?.role : null,
        abilities: device.abilities,
        revokedAt: device.revokedAt,
      });
      expect(toHex(head.sealing)).toBe(
        toHex(sealingHash(primitives, { device: device.id, ...device.sealing })),
      );
      const other = { ...device.sealing, notAfterMs: device.sealing.notAfterMs + 1 };
      expect(toHex(head.sealing)).not.toBe(toHex(sealingHash(primitives, { device: device.id, ...other })));
    }
  });

  test('follows a promotion and a removal into every device', () => {
    const again = eventfulWorld('heads');
    const [founder, second] = again.members;
    const admin = founder.devices[0];
    const id = second?.id as never;
    const heads = (): (string | null)[] =>
      (second?.devices ?? []).map((device) => {
        const key = toHex(deviceKey(primitives, device.id));
        const item = headsOf(primitives, again.state).find((one) => toHex(one.key) === key);
        return parseDeviceHead(item?.leaf as Uint8Array).role;
      });
    expect(heads()).toEqual(['member', 'member']);
    again.append(createRoleChange({ ...again.as(admin), member: id, role: 'exporter' }));
    expect(heads()).toEqual(['exporter', 'exporter']);
    again.append(createRemoveMember({ ...again.as(admin), member: id }));
    expect(heads()).toEqual([null, null]);
  });

  test('follows an order to wipe a device that was revoked before', () => {
    const again = eventfulWorld('heads');
    const admin = again.members[0].devices[0];
    const device = [...again.state.devices.values()].find(
      ({ revokedAt, wipedAt }) => revokedAt !== null && wipedAt === null,
    );
    if (device === undefined) throw new Error('the world has a revoked device');
    const before = again.state;
    again.append(createWipe({ ...again.as(admin), target: { of: 'device', device: device.id } }));
    const changed = new Map(
      changedHeads(primitives, before, again.state).map(({ key, leaf }) => [toHex(key), leaf]),
    );
    const head = parseDeviceHead(changed.get(toHex(deviceKey(primitives, device.id))) as Uint8Array);
    expect(head).toMatchObject({ role: null, wipedAt: before.size, since: before.size });
    const owner = parseMemberHead(changed.get(toHex(memberKey(primitives, device.member))) as Uint8Array);
    expect(owner.since).toBe(before.size);
  });

  test('keeps members, devices and the organisation apart, and knows nobody else', () => {
    const keys = headsOf(primitives, last).map(({ key }) => toHex(key));
    expect(new Set(keys).size).toBe(last.devices.size + last.members.size + 1);
    expect(keys).not.toContain(toHex(deviceKey(primitives, stranger(world).id)));
  });

  test('tells who may speak for the organisation, how large it is, and which entry set the policy', () => {
    const full = everyKindWorld('organisation');
    let [state, policyAt]: [DirectoryState | null, number] = [null, 0];
    const seen = new Set<string>();
    for (const [i, wire] of full.wires.entries()) {
      const { kind } = parseEntry(primitives, wire).body;
      if (kind === 'policy' || kind === 'recovery') policyAt = i;
      state = replay(primitives, [wire], state);
      const head = parseOrganisationHead(organisationHead(state));
      expect(head).toMatchObject({ ...counted(state), policyAt });
      if (head.since === i) seen.add(kind);
    }
    // A role among those who are not admins changes nothing here, nor does what is about keys and data.
    expect([...seen].toSorted()).toEqual([
      'add-device',
      'genesis',
      'join',
      'policy',
      'recovery',
      'remove-member',
      'revoke-device',
      'role',
      'wipe',
    ]);
  });

  test('has a head of the organisation that is read in one form only, and with 1,000 admins', async () => {
    const { policyAt, activeDevices, admins, since } = parseOrganisationHead(organisationHead(last));
    const encoded = (ids: readonly MemberId[], devices: number = activeDevices): Uint8Array =>
      encodeCbor([1, policyAt, devices, ids.map(idBytes), since] as CborValue);
    expect(encoded(admins)).toEqual(organisationHead(last));
    const code = (leaf: Uint8Array): string | null => codeFrom(() => parseOrganisationHead(leaf));
    const many = Array.from({ length: 1206 }, () => newMemberId(world.random)).toSorted();
    expect(parseOrganisationHead(encoded(many.slice(0, 1000))).admins).toEqual(many.slice(0, 1000));
    expect(code(encoded(many))).toBe('too-large');
    expect(code(encoded([many[1] as MemberId, many[0] as MemberId]))).toBe('malformed');
    expect(code(encoded([many[0] as MemberId, many[0] as MemberId]))).toBe('malformed');
    expect(code(encoded([]))).toBe('malformed');
    expect(code(encoded(admins, 0))).toBe('malformed');
    expect(code(encodeCbor([2, policyAt, activeDevices, admins.map(idBytes), since]))).toBe(
      'unsupported-version',
    );

    // The longest head is still proved, also at the end of the longest way.
    const key = organisationKey(primitives);
    const leaf = encoded(many.slice(0, 1200));
    const beside = Array.from({ length: 256 }, (_, bit) => {
      const other = key.slice();
      other[bit >> 3] = (other[bit >> 3] as number) ^ (0x80 >> (bit & 7));
      return { key: other, leaf: Uint8Array.of(1) };
    });
    const store = new NodeStore();
    const root = store.keep(await updateMap(primitives, store, EMPTY_MAP_ROOT, [{ key, leaf }, ...beside]));
    const proof = await proveLookup(primitives, store, root, key);
    expect(verifyLookup(primitives, root, key, proof)).toEqual(leaf);
  });

  test('has heads that are read in one form only', () => {
    const leaf = headsOf(primitives, last).find(
      ({ key }) => toHex(key) === toHex(memberKey(primitives, world.members[0].id)),
    )?.leaf as Uint8Array;
    expect(parseMemberHead(leaf).handle).toBe('member-0');
    expect(codeFrom(() => parseDeviceHead(leaf))).toBe('malformed');
    expect(codeFrom(() => parseMemberHead(Uint8Array.of(...leaf, 0)))).toBe('malformed');
    expect(codeFrom(() => parseMemberHead(new Uint8Array(4097)))).toBe('too-large');
    const newer = leaf.slice();
    newer[1] = 2;
    expect(codeFrom(() => parseMemberHead(newer))).toBe('unsupported-version');
  });
});

/** The organisation's head, counted once more from members and devices. */
function counted(state: DirectoryState): Omit<OrganisationHead, 'policyAt' | 'since'> {
  const active = [...state.devices.values()].filter(({ revokedAt }) => revokedAt === null);
  const owners = new Set(active.map(({ member }) => state.members.get(member)));
  const admins = [...owners].flatMap((owner) => (owner?.role === 'admin' ? [owner.id] : []));
  return { activeDevices: active.length, admins: admins.toSorted() };
}

function organisationHead(state: DirectoryState): Uint8Array {
  const key = toHex(organisationKey(primitives));
  return headsOf(primitives, state).find((item) => toHex(item.key) === key)?.leaf as Uint8Array;
}

function headAt(
  state: DirectoryState,
  key: string,
  leaf: Uint8Array,
): DeviceHead | MemberHead | OrganisationHead {
  if (key === toHex(organisationKey(primitives))) return parseOrganisationHead(leaf);
  const isDevice = [...state.devices.keys()].some((id) => toHex(deviceKey(primitives, id)) === key);
  return isDevice ? parseDeviceHead(leaf) : parseMemberHead(leaf);
}
