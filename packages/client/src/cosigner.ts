import {
  asciiBytes,
  decodeCbor,
  encodeCbor,
  equalBytes,
  type KeyStore,
  type Primitives,
  type Signer,
} from '@keytide/crypto-core';
import { assembleNote, checkpointText, cosignature, parseNote } from '@keytide/key-directory';
import { ClientError } from './errors.ts';
import { Serial } from './serial.ts';
import type { SignedCheckpoint } from './signed-checkpoint.ts';

interface CosignerOptions {
  readonly primitives: Primitives;
  readonly keyStore: KeyStore;
  readonly signer: Signer;
}

/** The largest tree that this device has cosigned. */
interface Cosigned {
  readonly size: number;
  /** The text of the checkpoint, 32 bytes of hash. */
  readonly textHash: Uint8Array;
}

const NAME = 'cosigned';
const MAX_BYTES = 256;

/**
 * Cosigns checkpoints with this device's signing key, never a smaller tree than before and never another text for
 * the same size (docs/spec/transparency.md, Checkpoints). What it is about to sign is durable before the signature
 * exists, so a crash in between forgets nothing. A key store that was put back from a copy does.
 */
export class Cosigner {
  readonly #options: CosignerOptions;
  readonly #jobs = new Serial();
  #last: Cosigned | null = null;

  private constructor(options: CosignerOptions) {
    this.#options = options;
  }

  /** Reads what is stored. @throws ClientError `store-damaged` */
  static async open(options: CosignerOptions): Promise<Cosigner> {
    const cosigner = new Cosigner(options);
    const stored = await options.keyStore.get(NAME);
    if (stored === null) return cosigner;
    try {
      const [size, textHash] = decodeCbor(stored, MAX_BYTES) as [number, Uint8Array];
      cosigner.#last = { size, textHash };
    } catch (cause) {
      throw new ClientError('store-damaged', 'the stored memory of cosignatures is none', { cause });
    }
    return cosigner;
  }

  /**
   * The checkpoint as a note with the relay's signature and this device's; `null` for one that this device must not
   * sign. Give it only what this device's own replay bears out, log and map.
   */
  cosign(checkpoint: SignedCheckpoint, timeSeconds: number): Promise<Uint8Array | null> {
    return this.#jobs.run(() => this.#cosign(checkpoint, timeSeconds));
  }

  async #cosign(checkpoint: SignedCheckpoint, timeSeconds: number): Promise<Uint8Array | null> {
    const { primitives, keyStore, signer } = this.#options;
    const { key, size, note } = checkpoint;
    const text = checkpointText(checkpoint);
    const textHash = primitives.sha256(asciiBytes(text));
    const { signatures, text: shown } = parseNote(note);
    // A line that this build does not know would stand under a signature that says nothing of it.
    if (shown !== text || checkpoint.mapRoot === null) return null;
    const last = this.#last;
    if (last !== null && (size < last.size || (size === last.size && !equalBytes(textHash, last.textHash))))
      return null;
    if (last === null || size > last.size) {
      await keyStore.write([{ name: NAME, value: encodeCbor([size, textHash]) }]);
      this.#last = { size, textHash };
    }
    const relays = signatures.filter(({ name }) => name === key.name);
    return assembleNote(text, [...relays, cosignature(primitives, signer, checkpoint, timeSeconds)]);
  }
}
