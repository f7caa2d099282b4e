import { encodeCbor } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { parseEntry, parseInviteLink } from '@keytide/key-directory';
import { describe, expect, test } from 'vitest';
import { findHidden } from '../stories/hidden-forms.ts';
import { burgle } from './loot.ts';
import { noonPorts } from './noon-ports.ts';
import { goesOn, heard, hears, says, until, type Stage } from './stage.ts';

const LINES = [
  'Two wounded at the old mill, one child',
  'Bring 40 l of water — the well is dry',
  'Ko Aung ကိုအောင် is safe',
];
const TITLE = 'Insulin for Daw Khin, third floor';

/** What the relay and the network get to see. */
export function secrecy(stage: () => Stage): void {
  const wire = (): Uint8Array => new Uint8Array(Buffer.concat(stage().hostile.traffic));

  describe('what passes through the relay, in both directions', () => {
    test('holds no plaintext and no key, in any form', async () => {
      const secrets = new Map<string, Uint8Array>();
      const remember = (name: string, bytes: Uint8Array): void => void secrets.set(name, bytes.slice());
      const random = (sizeBytes: number): Uint8Array => {
        const bytes = noonPorts.random(sizeBytes);
        if (sizeBytes === 32) remember(`32 random bytes, no. ${secrets.size}`, bytes);
        return bytes;
      };
      const ports = { ...noonPorts, random };
      const { ada, bo } = await stage().pair(ports);
      for (const line of LINES) {
        await says(ada, line);
        await hears(bo, line);
      }
      const id = await bo.client.collections.requests.create({ title: TITLE, status: 'open' });
      await until(() => ada.client.collections.requests.get(id) !== null, 'the request');
      const link = await ada.client.invite();
      const cy = await stage().admit(ada, 'cy', { ports });
      await goesOn(ada, cy);
      await goesOn(cy, bo);
      const again = await stage().reopen(bo);
      await again.client.online();
      expect(heard(again)).toEqual(expect.arrayContaining(LINES));

      const people = { ada, bo: again, cy };
      for (const [name, person] of Object.entries(people)) {
        for (const [i, secret] of (await burgle(person)).secrets.entries())
          remember(`${name}, key ${i}`, secret);
      }
      parseInviteLink(link).seed.use((seed) => remember('the seed of the invite', seed));
      for (const text of [...LINES, TITLE, 'hello from ada', 'title'])
        remember(text, new TextEncoder().encode(text));
      // As it stands in a message: a route of the relay has the same word in its name.
      remember('requests', encodeCbor('requests'));

      // The one thing drawn at random and made public: it makes the organisation's id unguessable.
      const { body } = parseEntry(primitives, (await burgle(ada)).wires[0] as Uint8Array);
      const isGenesisRandom = (bytes: Uint8Array): boolean =>
        body.kind === 'genesis' && Buffer.from(bytes).equals(body.random);
      const published = [...secrets].filter(([, bytes]) => isGenesisRandom(bytes)).map(([name]) => name);
      expect(published).toHaveLength(1);
      expect(findHidden(wire(), secrets)).toEqual(published);
      expect(secrets.size).toBeGreaterThan(25);
    });

    test('is searched well: what does pass is found', async () => {
      const { ada } = await stage().pair();
      const { device, signer } = await burgle(ada);
      const needles = new Map([
        ['a public key, in an entry of the membership log', signer.publicKey],
        ['a device id, in a login', new TextEncoder().encode(device)],
        ['a device id, in a box', Buffer.from(device, 'hex')],
      ]);
      expect(findHidden(wire(), needles).toSorted()).toEqual([...needles.keys()].toSorted());
    });
  });
}
