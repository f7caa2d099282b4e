import { decodeCbor, deviceIdOf, encodeCbor, idBytes, toBase64Url, toHex } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom } from '@keytide/crypto-core/node';
import {
  EMPTY_MAP_ROOT,
  headsOf,
  logNoteKey,
  memberKey,
  noteKeyText,
  originOf,
  proveLookup,
  updateMap,
  verifyForkProof,
  type MapItem,
} from '@keytide/key-directory';
import { signLog, type HostileCall } from '@keytide/testkit';
import { expect, test } from 'vitest';
import { burgle } from './loot.ts';
import { until, type Person, type Stage } from './stage.ts';

/** A relay that tells others something else of a member than the log does. */
export function liesAboutOneself(stage: () => Stage): void {
  /** Answers somebody's calls in another way. */
  function answers(
    victim: Person,
    where: RegExp,
    instead: (call: HostileCall, truth: (path: string) => Promise<unknown>) => Promise<unknown>,
  ) {
    return stage().hostile.attack({
      victim: victim.client.device,
      async call(call, forward) {
        if (!where.test(call.path)) return await forward(call);
        const truth = async (path: string): Promise<unknown> => (await forward({ ...call, path })).body;
        return { status: 200, body: await instead(call, truth) };
      },
    });
  }

  const caught = async (person: Person) => {
    const { alarms, relay } = await person.client.audit();
    expect(alarms).toEqual([]);
    return relay;
  };

  test('nothing to say against an honest one: presence, absence and the past are proved', async () => {
    const { ada, bo } = await stage().pair();
    expect(await caught(bo)).toMatchObject({ lookups: 5, contradiction: null, checkpoint: { size: 3 } });
    const asked = stage().hostile.traffic.map((bytes) => Buffer.from(bytes).toString().split('\n')[0]);
    for (const id of [bo.client.member, bo.client.device])
      expect(asked.some((line) => line?.includes(`/directory/`) && line.includes(id))).toBe(true);
    expect((await caught(ada))?.rebuilt).toBeGreaterThan(0);
  });

  test('a lookup that grows old while it is made is asked for again', async () => {
    const { ada, bo } = await stage().pair();
    let growths = 0;
    answers(bo, /\/directory\/devices\//, async (call, truth) => {
      const answer = await truth(call.path);
      if (growths < 2) {
        growths += 1;
        await ada.client.invite();
        await until(() => bo.client.directorySize === 3 + growths, 'bo to hear of it');
      }
      return answer;
    });
    expect(await caught(bo)).toMatchObject({ lookups: 5, contradiction: null });
    expect(growths).toBe(2);
  });

  test.each<[string, RegExp, (ada: Person) => string]>([
    ['one’s own member', /directory\/members\//, ({ client }) => `members/${client.member}`],
    ['one’s own device', /directory\/devices\//, ({ client }) => `devices/${client.device}`],
  ])('the head of somebody else in the place of %s', async (_, where, other) => {
    const { ada, bo } = await stage().pair();
    answers(bo, where, (call, truth) => truth(call.path.replace(/[a-z]+\/[0-9a-f]+(?=\?)/, other(ada))));
    const relay = await caught(bo);
    expect(relay?.contradiction).toMatchObject({ code: 'relay-misbehaved', cause: { code: 'bad-proof' } });
  });

  test('a device of one’s own that is said not to be there', async () => {
    const { bo } = await stage().pair();
    answers(bo, /directory\/devices\//, (call, truth) =>
      truth(call.path.replace(/[0-9a-f]{64}(?=\?)/, toHex(nodeRandom(32)))),
    );
    expect((await caught(bo))?.contradiction).toMatchObject({ code: 'relay-misbehaved' });
  });

  test('somebody who is said to be there, and is not', async () => {
    const { ada, bo } = await stage().pair();
    answers(bo, /directory\/members\//, (call, truth) =>
      truth(
        call.path.includes(bo.client.member)
          ? call.path
          : call.path.replace(/[0-9a-f]{32}(?=\?)/, ada.client.member),
      ),
    );
    const relay = await caught(bo);
    expect(relay).toMatchObject({ lookups: 3, contradiction: { cause: { code: 'bad-proof' } } });
  });

  test('what was true before the log grew', async () => {
    const { ada, bo } = await stage().pair();
    await ada.client.invite();
    await until(() => bo.client.directorySize === 4, 'bo to hear of it');
    answers(bo, /directory\//, (call, truth) => truth(call.path.replace(/size=4$/, 'size=3')));
    const contradiction = (await caught(bo))?.contradiction;
    expect(contradiction?.code).toBe('relay-misbehaved');
    expect(contradiction?.evidence).toHaveLength(2);
  });

  test('nothing, of a checkpoint that it has just shown', async () => {
    const { bo } = await stage().pair();
    stage().hostile.attack({
      call: async (call, forward) =>
        call.path.includes('/directory/')
          ? { status: 404, body: { code: 'not-found', message: '' } }
          : await forward(call),
    });
    expect((await caught(bo))?.contradiction).toMatchObject({
      code: 'relay-misbehaved',
      cause: { relayCode: 'not-found' },
    });
  });

  test('a map of its own, signed, with a ghost among one’s devices: proved to anybody', async () => {
    const { ada, bo } = await stage().pair();
    const { wires, directory } = await burgle(bo);
    const ghost = deviceIdOf(primitives, primitives.signer(nodeRandom(32)).publicKey);
    const own = memberKey(primitives, bo.client.member);
    const heads = headsOf(primitives, directory).map((item): MapItem => {
      if (Buffer.compare(item.key, own) !== 0) return item;
      const [version, handle, role, devices, ...rest] = decodeCbor(item.leaf, 4096) as never[];
      const withGhost = [...(devices as unknown as Uint8Array[]), idBytes(ghost)];
      return { key: item.key, leaf: encodeCbor([version, handle, role, withGhost, ...rest] as never) };
    });
    const empty = { readNode: () => Promise.resolve(null) };
    const { root, added } = await updateMap(primitives, empty, EMPTY_MAP_ROOT, heads);
    const nodes = new Map(added.map(({ hash, bytes }) => [toHex(hash), bytes]));
    const source = { readNode: (hash: Uint8Array) => Promise.resolve(nodes.get(toHex(hash)) ?? null) };
    const { signer } = stage().relayKey;
    const { note } = signLog({ primitives, signer, org: bo.client.org }, wires, root);
    const lookup = toBase64Url(await proveLookup(primitives, source, root, own));
    const checkpoint = Buffer.from(note).toString();
    answers(bo, /directory\//, () => Promise.resolve({ checkpoint, lookup }));
    const contradiction = (await caught(bo))?.contradiction;
    expect(contradiction?.code).toBe('relay-forked');
    const verdict = verifyForkProof(primitives, contradiction?.evidence[0] as Uint8Array);
    expect(verdict.claim).toBe('wrong-map');
    const relayKey = noteKeyText(primitives, logNoteKey(originOf(bo.client.org), signer.publicKey));
    expect(verdict.against.map((key) => noteKeyText(primitives, key))).toEqual([relayKey]);
    expect((await ada.client.audit()).relay?.contradiction).toBeNull();
  });

  test.each<[string, (tile: Uint8Array) => Uint8Array]>([
    ['another past', (tile) => tile.map((byte) => byte ^ 1)],
    ['none', () => new Uint8Array(0)],
  ])('tiles that have %s', async (_, change) => {
    const { bo } = await stage().pair();
    answers(bo, /\/log\/tile\/0\//, async (call, truth) => change((await truth(call.path)) as Uint8Array));
    const relay = await caught(bo);
    expect(relay).toMatchObject({ lookups: 5, rebuilt: null, contradiction: { code: 'relay-misbehaved' } });
    expect(relay?.contradiction?.evidence).toHaveLength(1);
  });
}
