import type { Socket } from 'node:net';
import { deviceId } from '@keytide/crypto-core';
import { isActive, type Device } from '@keytide/key-directory/verify';
import {
  decodeClientFrame,
  encodeRelayFrame,
  type ClientFrame,
  type HintTopic,
} from '@keytide/relay-protocol';
import type { RawData, WebSocket } from 'ws';
import type { FrameRates } from './caller-rates.ts';
import { endingOf } from './ending.ts';
import { enter } from './enter.ts';
import { RelayError, sessionEnded } from './errors.ts';
import { FramePace } from './frame-pace.ts';
import { Intake } from './intake.ts';
import type { RelayLimits } from './limits.ts';
import { createLiveness } from './liveness.ts';
import type { Log } from './log-event.ts';
import type { Logins, Session } from './logins.ts';
import type { Organisation, Organisations } from './organisations.ts';
import type { PushDispatcher } from './push/dispatcher.ts';
import { createPeer, type Peer, type PeerShared } from './peer.ts';
import type { Recipients } from './recipients.ts';
import { ReadingGate } from './reading-gate.ts';
import type { SessionWatch } from './session-watch.ts';
import { createSocketOutlet } from './socket-outlet.ts';

/** One WebSocket from its upgrade to its end. */
export interface Connection {
  /** The organisation's log has grown: tells the device, or cuts it off if it lost its place. */
  grown(): void;
  /** Tells the device that something outside the logs has changed for it, if it is among these. */
  hint(topic: HintTopic, devices: Recipients): void;
  /** Call it every `pingMs`: pings, and cuts off whoever showed no life since the last call. */
  tick(): void;
  /** Answers nothing more and closes with this WebSocket status. */
  close(status: number, reason: string): void;
  /** Reads nothing more, answers what it has read, and closes as 'going away'. */
  leave(): Promise<void>;
}

/** What all connections of a relay share. */
export interface ConnectionOptions {
  readonly shared: PeerShared;
  readonly logins: Logins;
  readonly watch: SessionWatch;
  readonly organisations: Organisations;
  readonly limits: RelayLimits;
  readonly log: Log;
  /** Hears which devices are connected. */
  readonly presence: Pick<PushDispatcher, 'came' | 'left'>;
  /** What all sockets together have sent and not yet been answered. */
  readonly sharedIntake: Intake;
  /** What those of one organisation have, which counts in what all have. */
  readonly intakeOf: (organisation: Organisation) => Intake;
  readonly frameRates: FrameRates;
  /** A device said hello and was let in. */
  readonly greeted: (connection: Connection, session: Session) => void;
  /** Runs once, at the end; `session` is null when nobody was let in. */
  readonly ended: (connection: Connection, session: Session | null, reason: string) => void;
}

/** Somebody who was let in. */
interface Guest {
  readonly peer: Peer;
  readonly organisation: Organisation;
  readonly session: Session;
  readonly pace: FramePace;
  /** Whose share its frames are of. */
  readonly sender: Pick<Device, 'id' | 'member'>;
  /** What it counts in: the socket's own, and its organisation's. */
  readonly intakes: readonly Intake[];
}

/** Why a relay goes away: nothing is wrong, and the client goes on elsewhere, or here again, from its cursors. */
export const RESUME = 'resume';

/** Time for the other side to answer a close before the socket is destroyed. */
const CLOSE_MS = 1_000;

/** One for all sockets. */
function nothing(): void {}

/** Takes over a fresh WebSocket and the TCP socket below it. */
export function createConnection(socket: WebSocket, tcp: Socket, options: ConnectionOptions): Connection {
  const { shared, limits, sharedIntake, watch, frameRates } = options;
  const { clock, timeline } = shared;
  const outlet = createSocketOutlet(socket, limits.lagBytes);
  const gate = new ReadingGate(socket);
  const isAlive = createLiveness(tcp, outlet);
  /** Frames that came before the welcome; `null` before hello. */
  let early: Uint8Array[] | null = null;
  let guest: Guest | null = null;
  let release = nothing;
  let unfollow = nothing;
  let expiresMs = 0;
  let endReason: string | null = null;
  let behind: Promise<void> | null = null;
  let underWay = 0;
  let whenAnswered = nothing;
  let helloTimer: NodeJS.Timeout | undefined = setTimeout(
    () => fail(new RelayError('hello-timeout', 'no hello')),
    limits.helloMs,
  );

  /** From here on nothing is listened to and nothing but the refusal is sent. */
  function stop(reason: string): void {
    endReason ??= reason;
    clearTimeout(helloTimer);
    guest?.pace.stop();
    guest?.peer.stop();
    unfollow();
  }

  function end(status: number, reason: string, refusal: string | null): void {
    if (endReason !== null) return;
    stop(reason);
    if (refusal !== null) outlet.send(encodeRelayFrame({ type: 'refused', requestId: null, code: refusal }));
    socket.close(status, reason);
    setTimeout(() => socket.terminate(), CLOSE_MS).unref();
  }

  function fail(error: unknown): void {
    const { code, status, cause } = endingOf(error);
    if (cause !== null && endReason === null) options.log({ event: 'failed', where: 'socket', code: cause });
    if (endReason === null) shared.metrics.refused(code);
    end(status, code, code);
  }

  function receive(data: RawData, isBinary: boolean): void {
    if (endReason !== null) return;
    try {
      if (!isBinary || !(data instanceof Uint8Array)) throw new RelayError('malformed', 'not a binary frame');
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.length);
      if (guest !== null) return guest.pace.take(bytes);
      if (early !== null) return void early.push(bytes);
      const hello = decodeClientFrame(bytes);
      if (hello.type !== 'hello') throw new RelayError('malformed', 'the first frame is hello');
      early = [];
      greet(hello.token).catch(fail).finally(gate.hold());
    } catch (error) {
      fail(error);
    }
  }

  async function greet(token: string): Promise<void> {
    const entered = await enter(options, token);
    // From here on nothing waits, so what is checked now still holds when the device is registered.
    if (endReason !== null) return entered.release();
    release = entered.release;
    const { session, organisation } = entered;
    const { kind, id } = session.subject;
    const sender = kind === 'device' ? organisation.state.devices.get(deviceId(id)) : undefined;
    if (sender === undefined || sender.revokedAt !== null)
      throw new RelayError('not-a-member', 'not an active device');
    const intakes = [new Intake(limits.socketIntakeBytes), options.intakeOf(organisation)];
    const pace = new FramePace(gate, (bytes) => {
      try {
        serve(mine, bytes);
      } catch (error) {
        fail(error);
      }
    });
    const peer = peerOf(session, organisation);
    const mine: Guest = { peer, organisation, session, pace, sender, intakes };
    guest = mine;
    hold(session);
    clearTimeout(helloTimer);
    helloTimer = undefined;
    tcp.off('data', countHello);
    options.greeted(connection, session);
    options.presence.came(session.org, deviceId(session.subject.id));
    welcome(organisation);
    for (const bytes of early ?? []) pace.take(bytes);
  }

  /** A later hello brings another access token of the same device: of this session, or of the one that follows it. */
  async function renew({ session: { org, subject }, organisation }: Guest, token: string): Promise<void> {
    const { session, release: unpin } = await enter(options, token);
    unpin();
    if (endReason !== null) return;
    if (session.org !== org || session.subject.kind !== 'device' || session.subject.id !== subject.id)
      throw sessionEnded();
    hold(session);
    welcome(organisation);
  }

  function welcome({ state: { size } }: Organisation): void {
    outlet.send(
      encodeRelayFrame({ type: 'welcome', relayTimeMs: clock.now(), directorySize: size, timeline }),
    );
  }

  /** From here on the socket is of this session. */
  function hold(session: Session): void {
    unfollow();
    expiresMs = session.expiresMs;
    unfollow = watch.follow(session, () => cutOff(sessionEnded()));
  }

  function assertInTime(): void {
    if (clock.now() >= expiresMs) throw sessionEnded();
  }

  /** Ends it; what waits to be sent was meant for somebody who had a right to it. */
  function cutOff(error: RelayError): void {
    fail(error);
    if (outlet.backlogBytes() > limits.helloBytes) socket.terminate();
  }

  function peerOf(session: Session, organisation: Organisation): Peer {
    const device = deviceId(session.subject.id);
    const guarded = {
      ...outlet,
      // Every push looks at the session again: one that has run out gets nothing more.
      send(frame: Uint8Array): void {
        if (endReason !== null) return;
        if (clock.now() >= expiresMs) return fail(sessionEnded());
        outlet.send(frame);
      },
      // What is not known to be true counts as lag: no content goes out before the log was read again.
      isLagging: () => outlet.isLagging() || !watch.isFresh(),
      isBehind: () => outlet.isBehind() || !watch.isFresh(),
      async drained(): Promise<void> {
        await outlet.drained();
        await watch.fresh();
      },
    };
    const upToDate = (): Promise<void> => watch.check(organisation.org);
    const mine = { organisation, device, outlet: guarded, upToDate, failed: fail };
    return createPeer({ shared, ...mine });
  }

  /** A node that may be behind the others looks before it does anything for anybody. */
  async function handle(from: Guest, frame: ClientFrame): Promise<void> {
    if (behind === null && !watch.isCurrent())
      behind = watch.look().finally(() => {
        behind = null;
      });
    if (behind !== null) {
      await behind;
      if (endReason !== null) return;
    }
    return frame.type === 'hello' ? renew(from, frame.token) : from.peer.handle(frame);
  }

  function serve(from: Guest, bytes: Uint8Array): void {
    const frame: ClientFrame = decodeClientFrame(bytes);
    assertInTime();
    const { intakes, pace, sender, organisation } = from;
    let waitMs = pace.tooSoonMs('frame', () =>
      frameRates.takeFrame({ org: organisation.org, device: sender }),
    );
    if (waitMs === 0 && frame.type === 'append')
      waitMs = pace.tooSoonMs('append', () => frameRates.takeAppend(organisation.org));
    if (waitMs > 0) pace.slowDown(waitMs);
    if (waitMs > 0 && frame.type === 'append') return from.peer.refuse(frame);
    for (const intake of intakes) intake.take(bytes.length);
    underWay += 1;
    handle(from, frame)
      .catch(fail)
      .finally(() => {
        for (const intake of intakes) intake.give(bytes.length);
        underWay -= 1;
        if (underWay === 0) whenAnswered();
      });
    if (gate.isHeld()) return;
    for (const intake of [...intakes, sharedIntake]) if (intake.isFull()) intake.whenHalfEmpty(gate.hold());
    // Who does not read the answers may not ask for more of them.
    if (outlet.isLagging()) outlet.drained().then(gate.hold(), fail);
  }

  let helloBytes = 0;
  function countHello(chunk: Uint8Array): void {
    helloBytes += chunk.length;
    if (helloBytes <= limits.helloBytes || endReason !== null) return;
    fail(new RelayError('too-large', 'too much before hello'));
    socket.pause();
  }

  const connection: Connection = {
    grown() {
      if (guest === null || endReason !== null) return;
      const { organisation, session, peer } = guest;
      if (isActive(organisation.state, deviceId(session.subject.id))) return peer.grown();
      cutOff(new RelayError('not-a-member', 'no longer an active device'));
    },
    hint(topic, devices) {
      if (guest === null || endReason !== null) return;
      if (devices !== 'everyone' && !devices.includes(deviceId(guest.session.subject.id))) return;
      guest.peer.hint(topic);
    },
    tick() {
      if (endReason !== null) return;
      if (guest !== null && clock.now() >= expiresMs) return fail(sessionEnded());
      // A socket that we do not read cannot show life.
      if (
        isAlive() ||
        guest?.pace.isSlowed() === true ||
        sharedIntake.isFull() ||
        guest?.intakes.some((intake) => intake.isFull()) === true
      )
        return socket.ping();
      stop('half-open');
      socket.terminate();
    },
    close: (status, reason) => end(status, reason, null),
    async leave() {
      const letRead = gate.hold();
      while (underWay > 0 && endReason === null) {
        await new Promise<void>((resolve) => {
          whenAnswered = resolve;
        });
      }
      end(1001, RESUME, null);
      // The answer to the close has to be read.
      letRead();
    },
  };

  tcp.on('data', countHello);
  socket.on('message', receive);
  socket.on('error', () => end(1002, 'protocol-error', null));
  socket.on('close', (status) => {
    // 1006: without a word, so nobody knows what has still reached it.
    const isClean = endReason === null && status !== 1006;
    stop('closed-by-peer');
    if (guest !== null) options.presence.left(guest.session.org, deviceId(guest.session.subject.id), isClean);
    release();
    options.ended(connection, guest?.session ?? null, endReason ?? 'closed-by-peer');
  });
  return connection;
}
