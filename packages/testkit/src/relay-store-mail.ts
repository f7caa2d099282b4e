import assert from 'node:assert/strict';
import { deviceId, memberId } from '@keytide/crypto-core';
import type { MailPut, RelayStore } from '@keytide/server-relay';
import type { StoreCheck } from './relay-store-check.ts';
import { addition, NOW_MS, placeOf, startedPlace, type Place } from './relay-store-fixtures.ts';

const DAY_MS = 86_400_000;

function mail({ org, random }: Pick<Place, 'org' | 'random'>, changes: Partial<MailPut> = {}): MailPut {
  const who = {
    recipient: deviceId(random(32)),
    sender: deviceId(random(32)),
    member: memberId(random(16)),
  };
  const what = { messageId: random(16), bytes: random(300), expiresMs: NOW_MS + DAY_MS };
  return { org, ...who, ...what, most: 1000, mostOfMember: 100, ...changes };
}

const listed = async (store: RelayStore, { org, recipient }: MailPut, after = 0) =>
  (await store.listMail(org, recipient, after, NOW_MS)).messages;

/** Messages from one device to one other. */
export const mailChecks: readonly StoreCheck[] = [
  {
    name: 'keeps mail for its recipient alone, in order, over a restart, until it is confirmed',
    async check({ store, reopen }) {
      const place = placeOf('mail');
      const first = mail(place);
      const second = mail(place, { recipient: first.recipient });
      const other = mail(place, { sender: first.sender });
      for (const put of [first, second, other]) assert.equal(await store.putMail(put), 'stored');
      await store.close();
      const again = await reopen();
      const messages = await listed(again, first);
      assert.deepEqual(
        messages.map(({ sender, bytes }) => ({ sender, bytes })),
        [first, second].map(({ sender, bytes }) => ({ sender, bytes })),
      );
      const [one, two] = messages as unknown as [{ seq: number }, { seq: number }];
      assert.ok(one.seq > 0 && two.seq > one.seq);
      assert.deepEqual(await listed(again, first, one.seq), [messages[1]]);
      // Another's confirmation of the same seqs changes nothing.
      await again.confirmMail(place.org, other.recipient, [two.seq, 99]);
      await again.confirmMail(place.org, first.recipient, [one.seq]);
      assert.deepEqual(await listed(again, first), [messages[1]]);
      assert.equal((await listed(again, other)).length, 1);
      return again;
    },
  },
  {
    name: 'keeps a repeated message once, refuses its id for another, and gives no seq twice',
    async check({ store }) {
      const place = placeOf('mail twice');
      const put = mail(place);
      const all = await Promise.all([put, put, put, put].map((each) => store.putMail(each)));
      assert.deepEqual(all.toSorted(), ['repeated', 'repeated', 'repeated', 'stored']);
      const altered = { ...put, bytes: place.random(300) };
      assert.equal(await store.putMail(altered), 'message-id-reused');
      // The id is the sender's own, and one recipient's: others may have the same.
      assert.equal(await store.putMail({ ...altered, sender: deviceId(place.random(32)) }), 'stored');
      assert.equal(await store.putMail({ ...altered, recipient: deviceId(place.random(32)) }), 'stored');
      const [one, two] = (await listed(store, put)) as unknown as [{ seq: number }, { seq: number }];
      await store.confirmMail(put.org, put.recipient, [one.seq, two.seq]);
      assert.deepEqual(await listed(store, put), []);
      assert.equal(await store.putMail(put), 'stored');
      const [later] = (await listed(store, put)) as unknown as [{ seq: number }];
      assert.ok(later.seq > two.seq);
    },
  },
  {
    name: 'takes no more mail than fits, of everybody and of one member, whichever device it comes from',
    async check({ store }) {
      const place = placeOf('mail full');
      const put = mail(place, { most: 5, mostOfMember: 3 });
      const fresh = (changes: Partial<MailPut> = {}) =>
        store.putMail({ ...put, messageId: place.random(16), ...changes });
      const another = () => ({ sender: deviceId(place.random(32)) });
      const sent = await Promise.all(Array.from({ length: 5 }, () => fresh(another())));
      assert.deepEqual(sent.toSorted(), ['share-full', 'share-full', 'stored', 'stored', 'stored']);
      const member = memberId(place.random(16));
      assert.deepEqual([await fresh({ member }), await fresh({ member })], ['stored', 'stored']);
      assert.equal(await fresh({ member: memberId(place.random(16)) }), 'mailbox-full');
      // Elsewhere there is room for the same member.
      assert.equal(await fresh({ recipient: deviceId(place.random(32)) }), 'stored');
      const [{ seq }] = (await listed(store, put)) as unknown as [{ seq: number }];
      await store.confirmMail(put.org, put.recipient, [seq]);
      const last = { ...put, messageId: place.random(16) };
      assert.equal(await store.putMail(last), 'stored');
      assert.equal(await fresh(), 'share-full');
      // What is there already is told as such, full or not.
      assert.equal(await store.putMail(last), 'repeated');
    },
  },
  {
    name: 'cuts mail into pages of 100 and of a megabyte',
    async check({ store }) {
      const place = placeOf('mail pages');
      const put = mail(place);
      const sizes = [...Array.from({ length: 105 }, () => 10), ...Array.from({ length: 20 }, () => 65_536)];
      for (const size of sizes) {
        const bytes = new Uint8Array(size).fill(7);
        assert.equal(
          await store.putMail({ ...put, messageId: place.random(16), bytes, mostOfMember: 200 }),
          'stored',
        );
      }
      const pages: number[] = [];
      for (let after = 0, more = true; more;) {
        const page = await store.listMail(put.org, put.recipient, after, NOW_MS);
        pages.push(page.messages.length);
        after = page.messages.at(-1)?.seq ?? after;
        more = page.more;
      }
      assert.deepEqual(pages, [100, 21, 4]);
    },
  },
  {
    name: 'does not show mail whose time is over, and forgets it',
    async check({ store }) {
      const place = placeOf('mail expiry');
      const put = mail(place);
      const later = mail(place, { recipient: put.recipient, expiresMs: NOW_MS + 2 * DAY_MS });
      for (const each of [put, later]) await store.putMail(each);
      const at = async (nowMs: number) =>
        (await store.listMail(put.org, put.recipient, 0, nowMs)).messages.map(({ bytes }) => bytes);
      assert.deepEqual(await at(NOW_MS + DAY_MS - 1), [put.bytes, later.bytes]);
      assert.deepEqual(await at(NOW_MS + DAY_MS), [later.bytes]);
      await store.forgetExpired(NOW_MS + DAY_MS + 1);
      assert.deepEqual(await at(NOW_MS), [later.bytes]);
    },
  },
  {
    name: 'forgets the mail of a device that loses its place, and of no other',
    async check({ store }) {
      const place = await startedPlace(store, 'mail ended');
      const put = mail(place);
      const other = mail(place, { sender: put.recipient });
      for (const each of [put, other]) await store.putMail(each);
      const ended = [{ kind: 'device', id: put.recipient }] as const;
      await store.appendLogEntry({ ...addition(place, 1, place.random(50)), ended });
      assert.deepEqual(await listed(store, put), []);
      assert.equal((await listed(store, other)).length, 1);
    },
  },
];
