import {
  createEpoch,
  type CreatedEpoch,
  type DeviceId,
  type Encapsulator,
  type GroupId,
  type Primitives,
} from '@keytide/crypto-core';
import { archiveOf, recipientsOf, type Device } from '@keytide/key-directory';
import type { DirectoryReplica } from './directory-replica.ts';
import type { EpochRing, Self } from './epoch-ring.ts';
import type { GroupReplica } from './group-replica.ts';
import type { OwnSealingKeys } from './own-sealing-keys.ts';
import type { Ports } from './ports.ts';
import type { SealingRecords } from './sealing-records.ts';

interface NextEpochContext {
  readonly ports: Ports;
  readonly self: Self;
  readonly group: GroupId;
  readonly directory: DirectoryReplica;
  readonly epochs: EpochRing;
  readonly replica: GroupReplica;
  readonly sealing: Pick<OwnSealingKeys, 'ownAt'>;
  readonly sealingRecords: Pick<SealingRecords, 'choiceAt'>;
}

/** The epoch after the newest one, for the devices, and the archive, that this device's membership log names now. */
export function createNextEpoch(context: NextEpochContext): Promise<CreatedEpoch> {
  const { ports, self, group, directory, epochs, replica, sealing } = context;
  const { primitives, random, clock } = ports;
  const previous = epochs.current;
  const nowMs = Math.max(clock.now(), previous?.createdMs ?? 0);
  const blockMs = directory.state.policy.blockSeconds * 1000;
  const blockStartMs = Math.floor(nowMs / blockMs) * blockMs;
  const reason =
    previous === null ? 'first' : nowMs >= previous.blockEndMs ? 'block-boundary' : 'membership-changed';
  const archive = archiveOf(primitives, directory.state);
  const devices = recipientsOf(directory.state, group).map(({ device }) => {
    const publicKey =
      device === self.device ? sealing.ownAt(nowMs)?.publicKey : othersKeyAt(context, device, nowMs);
    return { device, encapsulator: publicKey === undefined ? null : readLater(primitives, publicKey) };
  });
  return createEpoch({
    primitives,
    random,
    now: () => clock.now(),
    signer: self.signer,
    author: self.device,
    org: directory.state.org,
    group,
    previous: previous === null ? null : { epoch: previous.epoch, hash: previous.hash },
    createdMs: nowMs,
    blockStartMs,
    blockEndMs: blockStartMs + blockMs,
    checkpoint: { size: directory.size, root: directory.rootAt(directory.size) as Uint8Array },
    reason,
    closing: {
      group: { size: replica.size, root: replica.rootAt(replica.size) as Uint8Array },
      senders: previous === null ? [] : replica.senderHeads(),
    },
    recipients:
      archive === null
        ? devices
        : [
            ...devices,
            { device: archive.device, encapsulator: readLater(primitives, archive.sealingPublicKey) },
          ],
  });
}

/** A key that is read when it is sealed to, where other work has its turn in between. */
function readLater(primitives: Primitives, publicKey: Uint8Array): Encapsulator {
  return { publicKey, encapsulate: () => primitives.encapsulator(publicKey).encapsulate() };
}

/** `undefined` for a device that is silent. */
function othersKeyAt(
  { directory, sealingRecords }: NextEpochContext,
  device: DeviceId,
  nowMs: number,
): Uint8Array | undefined {
  const choice = sealingRecords.choiceAt(directory.state.devices.get(device) as Device, nowMs);
  return choice.kind === 'silent' ? undefined : choice.record.publicKey;
}
