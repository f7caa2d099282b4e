import { hybridIdentity, openAge, sealAge } from '@keytide/archive';
import { createOrganisation, join } from '@keytide/client';
import { nodePorts } from '@keytide/client/node';
import {
  combineShares,
  concatBytes,
  dealQuorum,
  openBox,
  openEpoch,
  openEpochBox,
  openMessage,
  parseEpochStatement,
  sealBox,
  Secret,
  verifyQuorumSet,
  type EpochStatement,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import { archiveOf, recipientsOf, replay } from '@keytide/key-directory';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { definition, keptStore, type Device } from './chat-people.ts';

let relay: Relay;
beforeAll(async () => {
  relay = await startRelay({ database: memoryDatabase(), port: 0, log: () => {} });
});
afterAll(() => relay.close());

test('two of three shares open what was written since, and nothing from before', async () => {
  const store = keptStore();
  const ada = await createOrganisation({
    ...{ definition, ports: nodePorts, store },
    ...{ relayUrl: relay.url, handle: 'ada' },
  });
  const bo = await join({
    ...{ definition, ports: nodePorts, store: keptStore() },
    ...{ link: await ada.invite(), handle: 'bo' },
  });
  const says = async (text: string): Promise<void> => {
    await ada.collections.chat.append({ text });
    await expect.poll(() => textsOf(bo), { timeout: 20_000 }).toContain(text);
  };
  await says('before there was a key');

  const seed = Secret.own(random(32));
  const { publicKey } = seed.use((bytes) => primitives.decapsulator(bytes));
  const dealer = primitives.signer(random(32));
  const dealt = await dealQuorum({
    ...{ primitives, random, signer: dealer, org: ada.org, kind: 'x-wing-seed', secret: seed },
    ...{ threshold: 2, holders: ['Ana', 'Bram', 'Chidi'], createdMs: Date.now() },
  });
  seed.dispose();
  await ada.setPolicy((policy) => ({ ...policy, archiveKey: publicKey }));
  await says('with it');
  const cy = await join({
    ...{ definition, ports: nodePorts, store: keptStore() },
    ...{ link: await ada.invite(), handle: 'cy' },
  });
  await says('in another epoch');
  expect(ada.epoch).toBe(3);

  const boxes = new Map<number, Uint8Array | null>();
  for (let epoch = 1; epoch <= ada.epoch; epoch += 1) boxes.set(epoch, await ada.archiveBox(epoch));
  expect([...boxes].map(([epoch, box]) => [epoch, box?.length ?? null])).toEqual([
    [1, null],
    [2, 1_168],
    [3, 1_168],
  ]);
  await expect(bo.archiveBox(2)).rejects.toMatchObject({ relayCode: 'not-a-member' });
  await expect(ada.archiveBox(4)).rejects.toMatchObject({ code: 'not-ready' });

  // What an archive has: both logs, the boxes, and nobody's devices.
  const wires = await (await store.journal('membership')).read(0);
  const entries = await (await store.journal('group')).read(0);
  for (const client of [ada, bo, cy]) await client.close();

  const set = verifyQuorumSet(primitives, dealt.set, {
    ...{ org: ada.org, dealer: primitives.verifier(dealer.publicKey), previous: null, publicKey },
  });
  const shares = dealt.shares.slice(1).map(({ share }) => share);
  const { secret } = await combineShares(primitives, set, shares);
  const archiveKey = secret.use((bytes) => primitives.decapsulator(bytes));
  const keyOf = (statement: EpochStatement, box: Uint8Array): Secret => {
    const state = replay(primitives, wires.slice(0, statement.checkpoint.size));
    const archive = archiveOf(primitives, state);
    if (archive === null) throw new Error('a box and no archive key');
    return openEpochBox(primitives, [archiveKey], statement, archive.device, box);
  };

  const read: (string | null)[] = [];
  let keys: ReturnType<typeof openEpoch> | null = null;
  for (const [kind, ...rest] of entries) {
    const bytes = Uint8Array.from(rest);
    if (kind === 1) {
      const statement = parseEpochStatement(primitives, bytes);
      const box = boxes.get(statement.epoch) ?? null;
      const state = replay(primitives, wires.slice(0, statement.checkpoint.size));
      const devices = recipientsOf(state, statement.group).map(({ device, signingPublicKey }) => {
        return { device, verifier: primitives.verifier(signingPublicKey) };
      });
      keys = box === null ? null : openEpoch({ primitives, statement, key: keyOf(statement, box), devices });
    } else {
      const text = keys === null ? null : Buffer.from(openMessage(keys, bytes).payload).toString('latin1');
      read.push(text);
    }
  }
  expect(read).toEqual([
    null,
    expect.stringContaining('with it'),
    expect.stringContaining('in another epoch'),
  ]);
});

test('the same key opens boxes and age files, and neither in the place of the other', async () => {
  const key = primitives.decapsulator(random(32));
  const to = primitives.encapsulator(key.publicKey);
  const identities = [hybridIdentity(primitives, key)];
  const plain = random(16);
  const file = await gather(sealAge([plain], { primitives, random, recipients: [to] }));
  expect(await gather(openAge([file], { primitives, identities }))).toEqual(plain);

  const header = Buffer.from(file).toString('latin1').split('\n');
  const [, encapsulated = ''] = /^-> mlkem768x25519 (\S+)$/.exec(header[1] as string) ?? [];
  const ciphertext = Buffer.from(encapsulated, 'base64');
  const wrapped = Buffer.from(header[2] as string, 'base64');
  expect([ciphertext.length, wrapped.length]).toEqual([1_120, 32]);
  // An age file's key in a box, without a context as HPKE has it.
  expect(() => openBox(primitives, key, new Uint8Array(), concatBytes(ciphertext, wrapped))).toThrow(
    expect.objectContaining({ code: 'decryption-failed' }),
  );
  // A box of as many bytes in an age header.
  const box = sealBox(primitives, to, new Uint8Array(), plain);
  expect(openBox(primitives, key, new Uint8Array(), box)).toEqual(plain);
  header[1] = `-> mlkem768x25519 ${unpadded(box.subarray(0, 1_120))}`;
  header[2] = unpadded(box.subarray(1_120));
  const replanted = Buffer.from(header.join('\n'), 'latin1');
  await expect(gather(openAge([replanted], { primitives, identities }))).rejects.toMatchObject({
    code: 'no-identity',
  });
});

const textsOf = (client: Device): string[] => client.collections.chat.read().map(({ body }) => body.text);

const unpadded = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64').replaceAll('=', '');

async function gather(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return concatBytes(...parts);
}
