import { equalBytes, toHex } from '../bytes.ts';
import type { EpochKeys } from '../epoch-keys.ts';
import { CryptoError } from '../errors.ts';
import type { DeviceId } from '../ids.ts';
import { MAX_EPHEMERAL_AGE_MS } from './body.ts';
import { unsealFrame, type EphemeralMessage } from './frame.ts';

/** How far a sender's clock may be ahead of the receiver's: one minute. */
const MAX_AHEAD_MS = 60_000;
const MAX_SESSIONS_PER_SENDER = 16;
const MAX_SESSIONS = 4096;

/** The newest session of one sender in one channel, and its newest frame. */
interface LiveSession {
  readonly sender: DeviceId;
  readonly session: Uint8Array;
  readonly startedMs: number;
  readonly counter: number;
  readonly sentMs: number;
}

/** What a receiver remembers of a group, in memory only: at most 4,096 sessions, 16 of one sender. */
export interface EphemeralWindow {
  readonly sinceMs: number;
  readonly sessions: ReadonlyMap<string, LiveSession>;
}

/**
 * What to receive into from now on. Nothing sent earlier is accepted, so start anew with each connection.
 * @param before the window of the connection before: its sessions stay known, as long as this process lives
 */
export function ephemeralWindow(nowMs: number, before: EphemeralWindow | null): EphemeralWindow {
  return { sinceMs: nowMs, sessions: before?.sessions ?? new Map() };
}

/** Input of `receiveEphemeral`. `keys` are those of the group's newest epoch; `nowMs` never runs backwards. */
export interface ReceiveEphemeralInput {
  readonly keys: EpochKeys;
  readonly window: EphemeralWindow;
  readonly frame: Uint8Array;
  readonly nowMs: number;
}

/** An authentic, fresh message, and what to receive the next frame into. */
export interface ReceivedEphemeral {
  readonly window: EphemeralWindow;
  readonly message: EphemeralMessage;
}

/**
 * Decides on one frame (docs/spec/ephemeral.md). Pure; a refused frame changes nothing, and a retry never helps.
 * What costs little is checked first, so that replays cost no signature.
 * @throws CryptoError `expired` (too old, or sent before this connection), `clock-ahead`, `replayed`,
 * `out-of-order` (an older frame, or an older session), `too-many-sessions`, `bad-signature`, `wrong-context`
 * (another epoch), `decryption-failed`, `malformed`, `too-large`, `unsupported-version`, `disposed`
 */
export function receiveEphemeral({ keys, window, frame, nowMs }: ReceiveEphemeralInput): ReceivedEphemeral {
  const { message, verify } = unsealFrame(keys, frame);
  const { sender, session, startedMs, counter, sentMs } = message;
  requireFresh(window, message, nowMs);
  const name = `${sender}/${message.kind}/${toHex(message.channel)}`;
  const live = window.sessions.get(name);
  if (live !== undefined && isRemembered(live, nowMs)) requireNewer(live, message);
  const { sessions } = window;
  const others = sessions.has(name) ? new Map(sessions) : withRoom(sessions, sender, nowMs);
  verify();
  const newest = { sender, session, startedMs, counter, sentMs };
  return { window: { sinceMs: window.sinceMs, sessions: others.set(name, newest) }, message };
}

/** The sessions that are still remembered, if one more of this sender is none too many. */
function withRoom(
  sessions: EphemeralWindow['sessions'],
  sender: DeviceId,
  nowMs: number,
): Map<string, LiveSession> {
  const remembered = [...sessions].filter(([, live]) => isRemembered(live, nowMs));
  const ofSender = remembered.filter(([, live]) => live.sender === sender).length;
  if (remembered.length >= MAX_SESSIONS || ofSender >= MAX_SESSIONS_PER_SENDER)
    throw new CryptoError('too-many-sessions', 'more ephemeral sessions than a receiver remembers');
  return new Map(remembered);
}

function requireFresh(window: EphemeralWindow, { sentMs, maxAgeMs }: EphemeralMessage, nowMs: number): void {
  if (sentMs > nowMs + MAX_AHEAD_MS) throw new CryptoError('clock-ahead', 'sent by a clock that is ahead');
  if (sentMs < window.sinceMs || nowMs > sentMs + maxAgeMs)
    throw new CryptoError('expired', 'sent too long ago to be shown');
}

function requireNewer(live: LiveSession, { session, startedMs, counter, sentMs }: EphemeralMessage): void {
  if (!equalBytes(session, live.session)) {
    if (startedMs <= live.startedMs) throw new CryptoError('out-of-order', 'of a session that was replaced');
    return;
  }
  if (counter === live.counter) throw new CryptoError('replayed', 'this frame was accepted before');
  if (counter < live.counter || sentMs < live.sentMs || startedMs !== live.startedMs)
    throw new CryptoError('out-of-order', 'older than the last frame of its session');
}

/** After this, whatever the session ever sent is too old by itself. */
function isRemembered({ sentMs }: LiveSession, nowMs: number): boolean {
  return nowMs <= sentMs + MAX_EPHEMERAL_AGE_MS;
}
