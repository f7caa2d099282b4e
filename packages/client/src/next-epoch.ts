import { createEpoch, type CreatedEpoch, type GroupId } from '@keytide/crypto-core';
import { recipientsOf } from '@keytide/key-directory';
import type { DirectoryReplica } from './directory-replica.ts';
import type { EpochRing, Self } from './epoch-ring.ts';
import type { GroupReplica } from './group-replica.ts';
import type { Ports } from './ports.ts';

interface NextEpochContext {
  readonly ports: Ports;
  readonly self: Self;
  readonly group: GroupId;
  readonly directory: DirectoryReplica;
  readonly epochs: EpochRing;
  readonly replica: GroupReplica;
}

/** The epoch after the newest one, for the devices that this device's membership log names now. */
export function createNextEpoch(context: NextEpochContext): Promise<CreatedEpoch> {
  const { ports, self, group, directory, epochs, replica } = context;
  const { primitives, random, clock } = ports;
  const previous = epochs.current;
  const nowMs = Math.max(clock.now(), previous?.createdMs ?? 0);
  const blockMs = directory.state.policy.blockSeconds * 1000;
  const blockStartMs = Math.floor(nowMs / blockMs) * blockMs;
  const reason =
    previous === null ? 'first' : nowMs >= previous.blockEndMs ? 'block-boundary' : 'membership-changed';
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
    recipients: recipientsOf(directory.state, group).map(({ device, sealingPublicKey }) => ({
      device,
      encapsulator: primitives.encapsulator(sealingPublicKey),
    })),
  });
}
