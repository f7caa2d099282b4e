import type { DeviceStore, Ports } from '@keytide/client';
import { asciiBytes, concatBytes, encodeCbor, fromHex, Secret, toBase64Url } from '@keytide/crypto-core';
import { expectCode, expectSame } from './key-store-check.ts';
import type { TestRunner } from './test-runner.ts';

/** How the suite gets at one kind of device store; every check asks for a place of its own. */
export interface LeaseUnderTest {
  /** Opens the store, made where there is none, with this way to the relay. */
  open(ports: Pick<Ports, 'fetch' | 'clock'>): Promise<DeviceStore>;
  /** The same with a passphrase that is not its own; `null` where there is none. */
  readonly openWrongly: ((ports: Pick<Ports, 'fetch' | 'clock'>) => Promise<DeviceStore>) | null;
}

/** One thing that a device store owes whose vault can need an unlock share. It closes what it opens. */
export interface LeaseCheck {
  readonly name: string;
  check(under: LeaseUnderTest): Promise<void>;
}

/** What a device store with a lease owes (docs/spec/unlock-lease.md), one by one. */
export const leaseChecks: readonly LeaseCheck[] = [
  {
    name: 'opens with the share that the relay keeps for its ticket, and with nothing else',
    async check(under) {
      const relay = keeper();
      await giveShare(await under.open(relay.ports), relay, [1]);
      const store = await under.open(relay.ports);
      expectSame(store.lease?.vault.needsUnlockShare, true);
      expectSame(await store.keys.get('kept'), Uint8Array.of(7));
      await store.close();
      expectSame(relay.asked, [idOf(1)]);
      relay.isOffline = true;
      await expectCode('offline', () => under.open(relay.ports));
      relay.isOffline = false;
      const [share] = [...relay.shares.values()];
      relay.shares.set(idOf(1), { proof: share?.proof as string, share: toBase64Url(new Uint8Array(32)) });
      await expectCode('wrong-passphrase', () => under.open(relay.ports));
      relay.shares.clear();
      await expectCode('lease-over', () => under.open(relay.ports));
    },
  },
  {
    name: 'asks for each id of its ticket in turn, and proves itself to each anew',
    async check(under) {
      const relay = keeper();
      await giveShare(await under.open(relay.ports), relay, [3, 2, 1]);
      const proofs = new Set([...relay.shares.values()].map(({ proof }) => proof));
      expectSame(proofs.size, 3);
      relay.shares.delete(idOf(3));
      relay.shares.delete(idOf(2));
      const store = await under.open(relay.ports);
      await store.close();
      expectSame(relay.asked, [idOf(3), idOf(2), idOf(1)]);
    },
  },
  {
    name: 'has the relay count each wrong passphrase, and opens with the right one after it',
    async check({ open, openWrongly }) {
      if (openWrongly === null) return;
      const relay = keeper();
      await giveShare(await open(relay.ports), relay, [1]);
      for (let guess = 0; guess < 3; guess += 1)
        await expectCode('wrong-passphrase', () => openWrongly(relay.ports));
      expectSame(relay.wrong, 3);
      relay.isOffline = true;
      await expectCode('offline', () => openWrongly(relay.ports));
      relay.isOffline = false;
      await (await open(relay.ports)).close();
      expectSame(relay.wrong, 3);
    },
  },
  {
    name: 'opens without the relay where a crash came between its ticket and its vault',
    async check(under) {
      const relay = keeper();
      let store = await under.open(relay.ports);
      await store.keys.write([{ name: 'kept', value: Uint8Array.of(7) }]);
      await store.lease?.ticket.write(ticketOf([1]));
      await store.close();
      relay.isOffline = true;
      store = await under.open(relay.ports);
      expectSame(store.lease?.vault.needsUnlockShare, false);
      expectSame(await store.lease?.ticket.read(), ticketOf([1]));
      await store.keys.write([{ name: 'later', value: Uint8Array.of(8) }]);
      relay.isOffline = false;
      await giveShare(store, relay, [2, 1]);
      store = await under.open(relay.ports);
      expectSame(await store.keys.get('later'), Uint8Array.of(8));
      await store.close();
      expectSame(relay.asked, [idOf(2)]);
    },
  },
  {
    name: 'has the ticket that was written last, also after closing, and none once it is deleted',
    async check(under) {
      const relay = keeper();
      let store = await under.open(relay.ports);
      const ticket = () => store.lease?.ticket.read();
      expectSame(await ticket(), null);
      for (const byte of [1, 2, 3, 3]) await store.lease?.ticket.write(new Uint8Array(300).fill(byte));
      expectSame(await ticket(), new Uint8Array(300).fill(3));
      await store.close();
      store = await under.open(relay.ports);
      expectSame(await ticket(), new Uint8Array(300).fill(3));
      await store.lease?.ticket.delete();
      await store.lease?.ticket.delete();
      expectSame(await ticket(), null);
      await store.close();
      store = await under.open(relay.ports);
      expectSame(await ticket(), null);
      await store.close();
    },
  },
  {
    name: 'needs no share any more once it is taken away, and asks nobody',
    async check(under) {
      const relay = keeper();
      await giveShare(await under.open(relay.ports), relay, [1]);
      let store = await under.open(relay.ports);
      await store.lease?.vault.rekey(null);
      await store.lease?.ticket.delete();
      await store.keys.write([{ name: 'later', value: Uint8Array.of(8) }]);
      await store.close();
      relay.asked.length = 0;
      store = await under.open(relay.ports);
      expectSame(
        [await store.keys.get('kept'), await store.keys.get('later')],
        [Uint8Array.of(7), Uint8Array.of(8)],
      );
      expectSame(relay.asked, []);
      await store.close();
    },
  },
  {
    name: 'is destroyed with its ticket, and the place can be used again',
    async check(under) {
      const relay = keeper();
      await giveShare(await under.open(relay.ports), relay, [1]);
      let store = await under.open(relay.ports);
      await store.destroy();
      relay.asked.length = 0;
      store = await under.open(relay.ports);
      expectSame([await store.wasDestroyed(), await store.keys.names('')], [true, []]);
      expectSame(await store.lease?.ticket.read(), null);
      expectSame(relay.asked, []);
      await store.close();
    },
  },
];

/** The same, for a test library. */
export function leaseConformance(
  name: string,
  start: () => Promise<LeaseUnderTest>,
  { describe, it }: TestRunner,
): void {
  describe(`Unlock lease: ${name}`, () => {
    for (const { name: title, check } of leaseChecks) it(title, async () => check(await start()));
  });
}

const RELAY = 'http://127.0.0.1:8080';
const bytesOf = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
const idOf = (byte: number): string => toBase64Url(bytesOf(byte));
const ticketOf = (ids: readonly number[]): Uint8Array =>
  encodeCbor([1, RELAY, fromHex('0a'.repeat(32)), ids.map(bytesOf)]);

/** The route of a relay that gives shares, over a network that can be gone. */
function keeper() {
  const shares = new Map<string, { readonly share: string; readonly proof: string }>();
  const asked: string[] = [];
  const state = {
    /** Wrong proofs that were shown to it. */
    wrong: 0,
    shares,
    asked,
    isOffline: false,
    ports: {
      clock: { now: () => Date.now(), wait: () => new Promise<void>(() => {}) },
      async fetch(_: unknown, init?: { readonly body?: unknown }) {
        if (state.isOffline) throw new TypeError('no network');
        const { id, proof } = JSON.parse(String(init?.body)) as { id: string; proof: string };
        asked.push(id);
        const kept = shares.get(id);
        const code = kept === undefined ? 'no-share' : kept.proof === proof ? null : 'wrong-proof';
        state.wrong += code === 'wrong-proof' ? 1 : 0;
        const body = code === null ? { share: kept?.share } : { code, message: code };
        return new Response(JSON.stringify(body), { status: code === null ? 200 : 403 });
      },
    } as Pick<Ports, 'fetch' | 'clock'>,
  };
  return state;
}

/** Makes the vault need a share, which the relay keeps under each of these ids; and closes it. */
async function giveShare(
  store: DeviceStore,
  relay: ReturnType<typeof keeper>,
  ids: readonly number[],
): Promise<void> {
  const { lease } = store;
  if (lease === undefined) throw new Error('this store has no lease');
  await store.keys.write([{ name: 'kept', value: Uint8Array.of(7) }]);
  expectSame(lease.vault.needsUnlockShare, false);
  const share = bytesOf(0x5a);
  await lease.ticket.write(ticketOf(ids));
  for (const id of ids) {
    const proof = lease.vault.prove(concatBytes(bytesOf(id), asciiBytes(RELAY)));
    relay.shares.set(idOf(id), { share: toBase64Url(share), proof: proof.use(toBase64Url) });
    proof.dispose();
  }
  const secret = Secret.own(share);
  await lease.vault.rekey(secret);
  secret.dispose();
  await store.close();
}
