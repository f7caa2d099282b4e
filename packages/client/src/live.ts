import {
  CryptoError,
  deviceId,
  ephemeralWindow,
  receiveEphemeral,
  startEphemeralSession,
  toHex,
  type EphemeralKind,
  type EphemeralMessage,
  type EphemeralSession,
  type EphemeralWindow,
  type EpochKeys,
  type GroupId,
} from '@keytide/crypto-core';
import { isActive } from '@keytide/key-directory';
import type { AnyCollection } from './collection.ts';
import type { DirectoryReplica } from './directory-replica.ts';
import type { EpochRing, Self } from './epoch-ring.ts';
import { ClientError } from './errors.ts';
import type { LiveDraft, LiveLine } from './live-line.ts';
import { encodeLivePayload, parseLivePayload } from './live-payload.ts';
import { channelOf } from './operation.ts';
import type { Part } from './part.ts';
import type { Ports } from './ports.ts';
import type { RelaySocket } from './relay-socket.ts';
import { SteadyTime } from './steady-time.ts';
import type { TrustedTime } from './trusted-time.ts';

/** The group's connection, as far as what is never stored needs it. */
export interface LiveConnection {
  /** The socket of a device that has caught up, or `null`. */
  readonly online: RelaySocket | null;
  /** The keys to write under: those of a new epoch where one is due. @throws ClientError */
  keys(): Promise<EpochKeys>;
}

interface LiveParts {
  readonly ports: Ports;
  readonly self: Self;
  /** What time it is at the least. */
  readonly time: Pick<TrustedTime, 'now'>;
  readonly group: GroupId;
  readonly directory: DirectoryReplica;
  readonly epochs: EpochRing;
  readonly connection: LiveConnection;
  readonly collections: () => ReadonlyMap<string, AnyCollection>;
  /** An authentic heartbeat, and the frame that is its evidence. */
  onHeartbeat(message: EphemeralMessage, frame: Uint8Array, socket: RelaySocket): void;
}

/** What a device says over one connection, in one epoch and channel. */
interface Saying {
  readonly socket: RelaySocket;
  readonly epoch: number;
  readonly startedMs: number;
  readonly session: EphemeralSession;
}

/** What is said of now: sealed, signed, relayed, and kept by nobody (docs/spec/live.md). */
export class Live implements Part, LiveLine {
  readonly topic = null;
  readonly time: SteadyTime;
  readonly #parts: LiveParts;
  readonly #sayings = new Map<string, Saying>();
  readonly #refusals = new Map<string, number>();
  #socket: RelaySocket | null = null;
  #window: EphemeralWindow | null = null;

  constructor(parts: LiveParts) {
    this.#parts = parts;
    const { ports, time } = parts;
    this.time = new SteadyTime({ now: () => time.now(), wait: (ms, signal) => ports.clock.wait(ms, signal) });
  }

  /** How many frames were refused since the start, by code (docs/spec/errors.md). */
  get refusals(): ReadonlyMap<string, number> {
    return this.#refusals;
  }

  isActive(device: string): boolean {
    return isActive(this.#parts.directory.state, deviceId(device));
  }

  async send({ collection, room, body, maxAgeMs }: LiveDraft): Promise<boolean> {
    const { connection, ports } = this.#parts;
    const socket = connection.online;
    if (socket === null) return false;
    const keys = await connection.keys();
    if (connection.online !== socket) return false;
    const channel = channelOf(ports.primitives, collection, room);
    this.say(
      socket,
      keys,
      { kind: 'live', channel, maxAgeMs },
      encodeLivePayload({ collection, room, body }),
    );
    return true;
  }

  /** Seals the next frame of a channel and sends it. @throws ClientError `too-large` */
  say(
    socket: RelaySocket,
    keys: EpochKeys,
    about: { readonly kind: EphemeralKind; readonly channel: Uint8Array; readonly maxAgeMs: number },
    payload: Uint8Array,
  ): void {
    const { self, ports, group } = this.#parts;
    const name = `${about.kind}/${toHex(about.channel)}`;
    let saying = this.#sayings.get(name);
    if (saying?.socket !== socket || saying.epoch !== keys.epoch) {
      // Later than the session before, also within one millisecond.
      const startedMs = Math.max(this.time.now(), (saying?.startedMs ?? -1) + 1);
      const { signer, device: sender } = self;
      const input = { ...about, signer, sender, nowMs: startedMs, random: ports.random };
      saying = { socket, epoch: keys.epoch, startedMs, session: startEphemeralSession(keys, input) };
      this.#sayings.set(name, saying);
    }
    const frame = sealed(saying.session, payload, Math.max(this.time.now(), saying.startedMs));
    socket.send({ type: 'ephemeral', group, frame });
  }

  /** Decides on a frame: shows what it says, or counts why not. */
  receive(frame: Uint8Array, socket: RelaySocket): void {
    const refusal = this.#refusalOf(frame, socket);
    if (refusal !== null) this.#refusals.set(refusal, (this.#refusals.get(refusal) ?? 0) + 1);
  }

  /** The group's log is caught up with: what is said from now on can be believed to be of now. */
  wake(): void {
    const { online } = this.#parts.connection;
    if (online === null || online === this.#socket) return;
    this.#socket = online;
    this.#window = ephemeralWindow(this.time.now(), this.#window);
  }

  async stop(): Promise<void> {
    this.#socket = null;
  }

  #refusalOf(frame: Uint8Array, socket: RelaySocket): string | null {
    const { epochs, self } = this.#parts;
    const keys = epochs.currentKeys;
    // Before the log is caught up with, or without its key, nobody here knows what the newest epoch is.
    if (this.#window === null || socket !== this.#socket || keys === null) return 'not-ready';
    try {
      const { window, message } = receiveEphemeral({
        keys,
        window: this.#window,
        frame,
        nowMs: this.time.now(),
      });
      this.#window = window;
      if (message.sender === self.device) return 'replayed';
      if (!this.isActive(message.sender)) return 'removed';
      if (message.kind === 'live') return this.#show(message) ? null : 'invalid';
      this.#parts.onHeartbeat(message, frame, socket);
      return null;
    } catch (error) {
      if (!(error instanceof CryptoError)) throw error;
      return error.code;
    }
  }

  #show({ sender, channel, payload, sentMs, maxAgeMs }: EphemeralMessage): boolean {
    const { ports, directory, collections } = this.#parts;
    const said = parseLivePayload(payload);
    if (said === null) return false;
    const { collection, room, body } = said;
    const expected = channelOf(ports.primitives, collection, room);
    if (!expected.every((byte, i) => channel[i] === byte)) return false;
    const { devices, members } = directory.state;
    const device = devices.get(sender);
    const member = device === undefined ? undefined : members.get(device.member);
    if (member === undefined) return false;
    const arrival = {
      device: sender,
      member: member.id,
      handle: member.handle,
      room,
      sentMs,
      maxAgeMs,
      body,
    };
    return collections().get(collection)?.show?.(arrival) === true;
  }
}

function sealed(session: EphemeralSession, payload: Uint8Array, nowMs: number): Uint8Array {
  try {
    return session.seal(payload, nowMs);
  } catch (error) {
    if (error instanceof CryptoError && error.code === 'too-large')
      throw new ClientError('too-large', 'too much for one live value', { cause: error });
    throw error;
  }
}
