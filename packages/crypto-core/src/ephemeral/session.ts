import type { EpochKeys } from '../epoch-keys.ts';
import { CryptoError } from '../errors.ts';
import type { DeviceId } from '../ids.ts';
import type { Random, Signer } from '../primitives.ts';
import { sealFrame } from './frame.ts';
import type { EphemeralKind } from './body.ts';

const SESSION_BYTES = 16;
const MAX_COUNTER = 2 ** 32 - 1;

/** Input of `startEphemeralSession`. `sender` is the device that `signer` belongs to. */
export interface EphemeralSessionInput {
  readonly signer: Signer;
  readonly sender: DeviceId;
  readonly kind: EphemeralKind;
  /** 16 bytes; zeros for heartbeats. */
  readonly channel: Uint8Array;
  /** How long what is sent may be shown, clock differences included; at most ten minutes. */
  readonly maxAgeMs: number;
  /** The start; later than that of this device's session before in the channel. */
  readonly nowMs: number;
  readonly random: Random;
}

/** A sender's side of one connection, epoch and channel. */
export interface EphemeralSession {
  /**
   * The session's next frame, to be sent at once and kept by nobody.
   * @throws CryptoError `not-a-recipient`, `too-large`, `disposed` (the epoch's keys), `malformed` (channel, maximum
   *   age, `nowMs` before the last frame, or 2^32 frames: start another session)
   */
  seal(payload: Uint8Array, nowMs: number): Uint8Array;
}

/**
 * Starts to send what is never stored (docs/spec/ephemeral.md). Start anew for each connection, epoch and
 * channel. The counter is kept here, and cannot be set: a session's key must not seal it twice.
 */
export function startEphemeralSession(keys: EpochKeys, input: EphemeralSessionInput): EphemeralSession {
  const { signer, sender, kind, channel, maxAgeMs, nowMs: startedMs } = input;
  const session = input.random(SESSION_BYTES);
  let counter = 0;
  let lastMs = startedMs;
  const seal = (payload: Uint8Array, nowMs: number): Uint8Array => {
    if (nowMs < lastMs || counter > MAX_COUNTER)
      throw new CryptoError('malformed', 'this session cannot go on');
    const place = { sender, session, counter };
    const body = { kind, channel, startedMs, sentMs: nowMs, maxAgeMs, payload };
    const frame = sealFrame(keys, signer, { ...place, ...body });
    counter += 1;
    lastMs = nowMs;
    return frame;
  };
  return { seal };
}
