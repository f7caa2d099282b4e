import { ABILITY_LIBSIGNAL, deviceIdOf } from '@keytide/crypto-core';
import { everyoneGroup } from '@keytide/key-directory';
import { AccessDecisions } from './access-decisions.ts';
import type { ClientOptions } from './client-options.ts';
import type { Declarations } from './collection.ts';
import { Cosigner } from './cosigner.ts';
import { sessionsNeeded } from './direct-channels.ts';
import { DirectShelf } from './direct-shelf.ts';
import { DirectoryReplica } from './directory-replica.ts';
import { EpochKeyStore } from './epoch-key-store.ts';
import type { Self } from './epoch-ring.ts';
import { IdentityWatch } from './identity-watch.ts';
import type { Identity } from './identity.ts';
import { Outbox } from './outbox.ts';
import { OwnHead } from './own-head.ts';
import { OwnRequests } from './own-request.ts';
import { OwnSealingKeys } from './own-sealing-keys.ts';
import type { DeviceStore } from './ports.ts';
import { RelayApi } from './relay-api.ts';
import { SealingRecords } from './sealing-records.ts';
import { SignedEntries } from './signed-entries.ts';
import { TrustedTime } from './trusted-time.ts';
import { Unsealed } from './unsealed.ts';
import { obeyStored } from './wipe.ts';
import { WitnessLedger } from './witness-ledger.ts';

/** What a client is made of, read from its store. */
export interface ClientParts {
  readonly self: Self;
  readonly api: RelayApi;
  readonly sealing: OwnSealingKeys;
  readonly sealingRecords: SealingRecords;
  readonly shelf: DirectShelf;
  readonly directory: DirectoryReplica;
  readonly identities: IdentityWatch;
  readonly ledger: WitnessLedger;
  readonly cosigner: Cosigner;
  readonly epochKeys: EpochKeyStore;
  readonly ownHead: OwnHead;
  readonly time: TrustedTime;
  readonly signed: SignedEntries;
  readonly requests: OwnRequests;
  readonly decisions: AccessDecisions;
  readonly journal: Awaited<ReturnType<DeviceStore['journal']>>;
  readonly outbox: Outbox;
  readonly unsealed: Unsealed;
}

/**
 * Reads what the store holds; finishes a wipe that was ordered before.
 * @throws ClientError `wiped`, `store-damaged`, `sessions-needed`
 */
export async function openParts(
  options: ClientOptions<Declarations>,
  identity: Identity,
): Promise<ClientParts> {
  const { ports, store } = options;
  const { primitives } = ports;
  const signer = identity.signingSeed.use((seed) => primitives.signer(seed));
  const device = deviceIdOf(primitives, signer.publicKey);
  const group = everyoneGroup(primitives, identity.org);
  const directory = await DirectoryReplica.open({
    primitives,
    journal: await store.journal('membership'),
    keyStore: store.keys,
    org: identity.org,
    // With a share of chance, for whoever came back at the same moment.
    rest: (ms, signal) => ports.clock.wait(ms * (0.5 + (ports.random(1)[0] as number) / 510), signal),
  });
  const api = new RelayApi(ports, identity.relayUrl, identity.org, {
    subject: { kind: 'device', id: device },
    signer,
    genesis: () => directory.wires(0, 1)[0] ?? null,
  });
  await obeyStored({ ports, api, store, org: identity.org, device, signer }, directory);
  const own = directory.size === 0 ? undefined : directory.state.devices.get(device);
  if (((own?.abilities ?? 0) & ABILITY_LIBSIGNAL) !== 0 && options.sessions === undefined)
    throw sessionsNeeded();
  const sealing = await OwnSealingKeys.open({
    primitives,
    random: ports.random,
    keyStore: store.keys,
    directory,
    device,
    signer,
    firstSeed: identity.sealingSeed,
  });
  const self = { device, signer, sealing };
  const unsealed = await Unsealed.open(store.keys, group);
  const outbox = await Outbox.open(await store.journal('outbox'));
  // A crash may have come between: what each of them holds, the other has not.
  await unsealed.forget(({ replaces }) => outbox.saysAgain(replaces));
  outbox.forget(({ counter }) => counter <= unsealed.through);
  return {
    self,
    sealing,
    sealingRecords: await SealingRecords.open({
      primitives,
      journal: await store.journal('sealing-records'),
      directory,
    }),
    directory,
    identities: await IdentityWatch.open({ directory, keyStore: store.keys, device }),
    epochKeys: await EpochKeyStore.open(store.keys, group),
    ownHead: await OwnHead.open(store.keys, group),
    time: await TrustedTime.open({ keyStore: store.keys, clock: ports.clock }),
    signed: await SignedEntries.open({ primitives, keyStore: store.keys, directory, device }),
    api,
    requests: await OwnRequests.open({ primitives, random: ports.random, keyStore: store.keys, signer }),
    decisions: await AccessDecisions.open(store.keys),
    ledger: await WitnessLedger.open(store.keys),
    cosigner: await Cosigner.open({ primitives, keyStore: store.keys, signer }),
    journal: await store.journal('group'),
    outbox,
    unsealed,
    shelf: await DirectShelf.open(store.keys),
  };
}
