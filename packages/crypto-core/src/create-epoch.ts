import type { EpochStatementFields } from './epoch-statement.ts';
import { encodeEpochStatement, parseEpochStatement } from './epoch-statement.ts';
import { sealEpochBox, type EpochBox } from './epoch-box.ts';
import { CryptoError } from './errors.ts';
import { deviceIdOf, type DeviceId } from './ids.ts';
import { EPOCH_KEY_BYTES, keyCommitment } from './key-commitment.ts';
import type { Encapsulator, Primitives, Random, Signer } from './primitives.ts';
import { recipientsHash, requireRecipient, sortByDevice } from './recipients.ts';
import { Secret } from './secret.ts';
import { NO_PREVIOUS_HASH, type PreviousEpoch } from './verify-epoch.ts';

/** How long everything else in the process waits: less than a frame of a screen. A phone seals one box in that time. */
const TURN_MS = 10;
/** Without a clock: about 4 ms on a server, a second or two on a slow phone. */
const BOXES_PER_TURN = 32;

/** Everything `createEpoch` needs. `author` is the device that `signer` belongs to. */
export interface CreateEpochInput extends Pick<
  EpochStatementFields,
  | 'org'
  | 'group'
  | 'blockStartMs'
  | 'blockEndMs'
  | 'checkpoint'
  | 'reason'
  | 'closing'
  | 'author'
  | 'createdMs'
> {
  readonly primitives: Primitives;
  readonly random: Random;
  readonly signer: Signer;
  /** `null` makes epoch 1. */
  readonly previous: PreviousEpoch | null;
  /**
   * The devices of the verified log, the author among them, and the archive where the policy has one
   * (`archiveRecipient`); any order, none twice. A device that has no sealing key in force (`null`, see
   * `sealingRecordAt`) is named like the others and gets no box.
   */
  readonly recipients: readonly { readonly device: DeviceId; readonly encapsulator: Encapsulator | null }[];
  /**
   * The time in milliseconds, from wherever it counts. With it, other work has its turn every 10 ms or box,
   * whichever is longer; left out, after every 32 boxes.
   */
  readonly now?: () => number;
  /** Told after each run of boxes. */
  readonly onProgress?: (sealed: number, total: number) => void;
}

/** A new epoch: the statement to announce, its hash (32 bytes), the key, and a box for each recipient that can have one, sorted by device. */
export interface CreatedEpoch {
  readonly statement: Uint8Array;
  readonly hash: Uint8Array;
  readonly key: Secret;
  readonly boxes: readonly EpochBox[];
}

/**
 * Makes a fresh epoch key, the signed statement about it and the sealed boxes. Lets other work
 * run between boxes.
 * @throws CryptoError `recipients-mismatch`, `not-a-recipient` (the author), `wrong-context` (the signer is
 * not the author), `malformed`
 */
export async function createEpoch(input: CreateEpochInput): Promise<CreatedEpoch> {
  const { primitives, previous, author } = input;
  if (deviceIdOf(primitives, input.signer.publicKey) !== author)
    throw new CryptoError('wrong-context', 'the signer is not the author');
  const recipients = sortByDevice(input.recipients);
  requireRecipient(recipients, author);
  const key = Secret.own(input.random(EPOCH_KEY_BYTES));
  const name = { org: input.org, group: input.group, epoch: (previous?.epoch ?? 0) + 1 };
  const statement = encodeEpochStatement(primitives, input.signer, {
    ...name,
    blockStartMs: input.blockStartMs,
    blockEndMs: input.blockEndMs,
    previousHash: previous?.hash ?? NO_PREVIOUS_HASH,
    checkpoint: input.checkpoint,
    keyCommitment: keyCommitment(primitives, name, key),
    recipientsHash: recipientsHash(primitives, recipients),
    reason: input.reason,
    closing: input.closing,
    author,
    createdMs: input.createdMs,
  });
  const { hash } = parseEpochStatement(primitives, statement);

  const sealable = recipients.flatMap(({ device, encapsulator }) =>
    encapsulator === null ? [] : [{ device, encapsulator }],
  );
  try {
    return { statement, hash, key, boxes: await sealBoxes(input, sealable, hash, key) };
  } catch (cause) {
    key.dispose();
    throw cause;
  }
}

async function sealBoxes(
  { primitives, now, onProgress }: CreateEpochInput,
  recipients: readonly { readonly device: DeviceId; readonly encapsulator: Encapsulator }[],
  hash: Uint8Array,
  key: Secret,
): Promise<EpochBox[]> {
  const boxes: EpochBox[] = [];
  while (boxes.length < recipients.length) {
    // Started before the work: an engine waits at least a millisecond, which so passes meanwhile.
    const turn = new Promise<void>((resolve) => setTimeout(resolve, 0));
    const endMs = now === undefined ? null : now() + TURN_MS;
    for (let inTurn = 1; boxes.length < recipients.length; inTurn += 1) {
      const recipient = recipients[boxes.length] as (typeof recipients)[number];
      boxes.push(sealEpochBox(primitives, hash, recipient, key));
      if (endMs === null ? inTurn === BOXES_PER_TURN : (now as () => number)() >= endMs) break;
    }
    onProgress?.(boxes.length, recipients.length);
    await turn;
  }
  return boxes;
}
