import {
  asciiBytes,
  boxChannel,
  ephemeralWindow,
  memoryKeyStore,
  openEpoch,
  orgId,
  pairwiseEndpoint,
  parseEpochStatement,
  receiveEphemeral,
  sealingKeyId,
  Secret,
  startEphemeralSession,
  toHex,
  type EphemeralWindow,
  type PairwiseChannel,
  type Primitives,
  type Random,
} from '@keytide/crypto-core';
import { expectBytes, expectEqual, outcomeOf, outcomeOfAsync, type Checks } from './checks.ts';
import { BLOCK_START_MS, exampleWorld, filled } from './example-world.ts';

type World = ReturnType<typeof exampleWorld>;

/** Two devices that talk without a session, and a live location: both sides are here, with a memory each. */
export async function checkChannels(
  checks: Checks,
  primitives: Primitives,
  random: Random,
  statementWire: Uint8Array,
): Promise<void> {
  const world = exampleWorld(primitives);
  const { alice, bob } = world;
  await checks.run('pairwise: a box opens once, for its device, unaltered', async () => {
    const toBob = channel(primitives, random, alice, bob);
    const toAlice = channel(primitives, random, bob, alice);
    const keepNothing = () => [];
    const wire = await toBob.seal(asciiBytes('for Bob'), keepNothing);
    const altered = wire.map((byte, i) => (i === wire.length - 1 ? byte ^ 1 : byte));
    expectEqual(await outcomeOfAsync(() => toAlice.open(altered, keepNothing)), 'decryption-failed');
    expectEqual(await outcomeOfAsync(() => toBob.open(wire, keepNothing)), 'decryption-failed');
    expectBytes(await toAlice.open(wire, keepNothing), asciiBytes('for Bob'));
    expectEqual(await outcomeOfAsync(() => toAlice.open(wire, keepNothing)), 'replayed');
  });
  await checks.run('ephemeral: fresh, once, in order, and from its sender', () => {
    const keys = openEpoch({
      primitives,
      statement: parseEpochStatement(primitives, statementWire),
      key: Secret.own(filled(0xe1, 32)),
      devices: [alice, bob].map(({ id, verifier }) => ({ device: id, verifier })),
    });
    const nowMs = BLOCK_START_MS + 3_600_000;
    const live = { kind: 'live' as const, channel: filled(0xc1, 16), maxAgeMs: 60_000, nowMs, random };
    const session = startEphemeralSession(keys, { ...live, signer: alice.signer, sender: alice.id });
    const [first, second] = [session.seal(asciiBytes('1'), nowMs), session.seal(asciiBytes('2'), nowMs + 1)];
    let window: EphemeralWindow = ephemeralWindow(nowMs, null);
    const receive = (frame: Uint8Array, atMs: number): string => {
      const received = receiveEphemeral({ keys, window, frame, nowMs: atMs });
      ({ window } = received);
      return toHex(received.message.payload);
    };
    expectEqual(receive(second, nowMs + 1), toHex(asciiBytes('2')));
    const refusals: readonly (readonly [string, Uint8Array, number])[] = [
      ['replayed', second, nowMs + 1],
      ['out-of-order', first, nowMs + 1],
      ['expired', second, nowMs + 60_002],
      ['clock-ahead', second, nowMs - 60_000],
    ];
    for (const [code, frame, atMs] of refusals)
      expectEqual(
        outcomeOf(() => receive(frame, atMs)),
        code,
      );
  });
}

function channel(
  primitives: Primitives,
  random: Random,
  own: World['alice'],
  peer: World['alice'],
): PairwiseChannel {
  const keyId = sealingKeyId(primitives, own.decapsulator.publicKey);
  const recordOf = ({ signer }: World['alice']) => ({ signingPublicKey: signer.publicKey, abilities: 0 });
  const endpoint = pairwiseEndpoint({
    primitives,
    random,
    org: orgId(filled(0x0a, 32)),
    store: memoryKeyStore(),
    signer: own.signer,
    record: recordOf(own),
    sealingKey: (wanted) => (wanted === keyId ? own.decapsulator : null),
  });
  return boxChannel(endpoint, { record: recordOf(peer), encapsulator: peer.encapsulator });
}
