import {
  concatBytes,
  CryptoError,
  idBytes,
  labelled,
  uint32Bytes,
  type DeviceId,
  type GroupId,
  type OrgId,
  type Primitives,
  type Random,
} from '@keytide/crypto-core';
import type { DayKeys } from './day-keys.ts';
import { RelayError } from './errors.ts';

/** Seals what lies in group logs under the key of its day. Sealed: nonce [12] ‖ ciphertext ‖ tag [16]. */
export interface DaySeal {
  seal(place: SealPlace, bytes: Uint8Array): Promise<Uint8Array>;
  /** `null` when the key is forgotten. @throws RelayError `data-damaged` for other bytes, or another place */
  open(place: SealPlace, sealed: Uint8Array): Promise<Uint8Array | null>;
}

/** What ciphertext is bound to. */
export type SealPlace = { readonly org: OrgId; readonly group: GroupId; readonly day: number } & (
  | { readonly kind: 'envelope' | 'statement'; /** The message id, 16 bytes. */ readonly id: Uint8Array }
  | { readonly kind: 'box'; readonly id: readonly [epoch: number, device: DeviceId] }
);

/** Random nonces: a day would have to see four billion writes of an organisation before two might be the same. */
const NONCE_BYTES = 12;
/** As `kind` is written. */
const KINDS = ['envelope', 'statement', 'box'] as const;

/** Keeps nothing. */
export function createDaySeal(options: {
  readonly keys: Pick<DayKeys, 'sealing' | 'opening'>;
  readonly primitives: Primitives;
  readonly random: Random;
}): DaySeal {
  const { keys, primitives, random } = options;
  return {
    async seal(place, data) {
      const secret = await keys.sealing(place.org, place.day);
      const nonce = random(NONCE_BYTES);
      const associated = associatedOf(place);
      const sealed = inRelayTerms(() =>
        secret.use((key) => primitives.aeadSeal({ key, nonce, associated, data })),
      );
      return concatBytes(nonce, sealed);
    },
    async open(place, sealed) {
      const secret = await keys.opening(place.org, place.day);
      if (secret === null) return null;
      const nonce = sealed.subarray(0, NONCE_BYTES);
      const associated = associatedOf(place);
      const data = sealed.subarray(NONCE_BYTES);
      return inRelayTerms(() => secret.use((key) => primitives.aeadOpen({ key, nonce, associated, data })));
    },
  };
}

/**
 * org [32] ‖ group [32] ‖ day [4] ‖ kind [1] ‖ message id [16], or for a box epoch [4] ‖ device [32]. Each kind has
 * one length.
 */
function associatedOf(place: SealPlace): Uint8Array {
  const id = place.kind === 'box' ? concatBytes(uint32Bytes(place.id[0]), idBytes(place.id[1])) : place.id;
  const kind = Uint8Array.of(KINDS.indexOf(place.kind));
  return labelled('dayAtRest', idBytes(place.org), idBytes(place.group), uint32Bytes(place.day), kind, id);
}

function inRelayTerms<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof CryptoError)) throw cause;
    // Wiped between the look for it and its use.
    if (cause.code === 'disposed')
      throw new RelayError('database-failed', 'the key of this day is over', { cause });
    throw new RelayError('data-damaged', 'what is stored does not open', { cause });
  }
}
