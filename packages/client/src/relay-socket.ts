import type { GroupId } from '@keytide/crypto-core';
import { ProtocolError, type ClientFrame, type RelayFrame } from '@keytide/relay-protocol';
import { ClientError } from './errors.ts';
import type { Dial, Line } from './line.ts';
import type { Ports } from './ports.ts';

/** A frame that waits for its answer. */
interface Waiting {
  readonly sinceMs: number;
  resolve(seqs: readonly number[]): void;
  reject(error: ClientError): void;
}

/** Where to connect, with which session, and what ends the connection early. */
interface Opening {
  readonly ports: Ports;
  readonly dial: Dial;
  readonly token: string;
  readonly signal: AbortSignal;
}

/** A socket on which the relay has said welcome, and what it said of itself. */
interface Welcomed {
  readonly socket: RelaySocket;
  readonly directorySize: number;
  /** Which past the relay's logs have. */
  readonly timeline: Uint8Array;
  /** What time it is, by the relay's clock. */
  readonly relayTimeMs: number;
}

type Request =
  | Omit<Extract<ClientFrame, { type: 'append' }>, 'requestId'>
  | Omit<Extract<ClientFrame, { type: 'announce' }>, 'requestId'>;

const SILENCE_MS = 45_000;
const ANSWER_MS = 60_000;
const PING_MS = 20_000;
const PROBE_MS = 5_000;

/** One line to the relay, from hello to close: frames in, frames out, answers matched to requests. */
export class RelaySocket {
  readonly #line: Line;
  readonly #waiting = new Map<number, Waiting>();
  readonly #closed: Promise<ClientError>;
  #nextRequest = 1;
  #end: (error: ClientError) => void = () => {};
  #ended: ClientError | null = null;
  #refusal: string | null = null;
  #heard: number;
  #isQuiet = false;
  #timeline: Uint8Array = new Uint8Array();
  readonly #ports: Ports;

  private constructor({ ports, dial, token }: Opening, onFrame: (frame: RelayFrame) => void) {
    this.#ports = ports;
    this.#heard = ports.clock.now();
    this.#closed = new Promise((resolve) => {
      this.#end = (error) => {
        this.#ended ??= error;
        for (const waiting of this.#waiting.values()) waiting.reject(this.#ended);
        this.#waiting.clear();
        resolve(this.#ended);
      };
    });
    this.#line = dial({
      opened: () => this.send({ type: 'hello', token }),
      received: (frame, cause) => this.#receive(frame, cause, onFrame),
      ended: () => this.#finish(),
    });
  }

  /**
   * Connects and says hello; resolves at the relay's welcome. `onFrame` gets what comes after it.
   * @throws ClientError `offline`, `relay-refused`, `relay-misbehaved`
   */
  static async open(
    opening: Opening,
    onFrame: (frame: RelayFrame, socket: RelaySocket) => void,
  ): Promise<Welcomed> {
    let isWelcome = false;
    let welcome: (said: Omit<Welcomed, 'socket'>) => void = () => {};
    const welcomed = new Promise<Omit<Welcomed, 'socket'>>((resolve) => {
      welcome = resolve;
    });
    const { signal } = opening;
    const socket = new RelaySocket(opening, (frame) => {
      if (frame.type === 'welcome') {
        const { directorySize, relayTimeMs, timeline } = frame;
        // That of the first one, which this device has settled.
        if (!isWelcome) socket.#timeline = timeline;
        isWelcome = true;
        welcome({ directorySize, relayTimeMs, timeline });
      } else if (isWelcome) {
        onFrame(frame, socket);
      } else {
        socket.close(new ClientError('relay-misbehaved', 'the relay spoke before it said welcome'));
      }
    });
    const close = (): void => socket.close();
    if (signal.aborted) close();
    signal.addEventListener('abort', close);
    void socket.#closed.then(() => signal.removeEventListener('abort', close));
    void socket.#watch();
    const first = await Promise.race([welcomed, socket.#closed]);
    if (first instanceof ClientError) throw first;
    return { socket, ...first };
  }

  /** Resolves with the reason when the connection is over. */
  get closed(): Promise<ClientError> {
    return this.#closed;
  }

  /** When something came from the relay last, by this device's clock. */
  get heardMs(): number {
    return this.#heard;
  }

  send(frame: ClientFrame): void {
    this.#line.send(frame);
  }

  /** Asks for a group's log after this place in it, which is of the relay's timeline. */
  subscribe(group: GroupId, afterSeq: number): void {
    this.send({ type: 'subscribe', group, afterSeq, timeline: this.#timeline });
  }

  /**
   * Sends an append or announce; resolves with its seqs once the relay has them durable.
   * @throws ClientError `offline`, `relay-refused` with the relay's code
   */
  request(request: Request): Promise<readonly number[]> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    const requestId = this.#nextRequest;
    this.#nextRequest += 1;
    return new Promise((resolve, reject) => {
      this.#waiting.set(requestId, { sinceMs: this.#ports.clock.now(), resolve, reject });
      this.send({ ...request, requestId });
    });
  }

  /** Ends the connection from this side; `closed` resolves with `reason`. */
  close(reason: ClientError = new ClientError('offline', 'the connection was closed here')): void {
    this.#end(reason);
    this.#line.close();
  }

  /** Asks for a sign of life; ends the connection when none comes: after a sleep nobody knows if it is still there. */
  async probe(): Promise<void> {
    this.#isQuiet = true;
    this.send({ type: 'ping', nonce: 0 });
    const ended = new AbortController();
    void this.#closed.then(() => ended.abort());
    await this.#ports.clock.wait(PROBE_MS, ended.signal);
    if (this.#isQuiet) this.close(new ClientError('offline', 'the relay gives no sign of life'));
  }

  #receive(frame: RelayFrame | null, cause: unknown, onFrame: (frame: RelayFrame) => void): void {
    this.#noticeSetBack();
    this.#heard = this.#ports.clock.now();
    this.#isQuiet = false;
    if (this.#ended !== null) return;
    if (frame === null) {
      const isOtherVersion = cause instanceof ProtocolError && cause.code === 'unsupported-version';
      this.close(
        isOtherVersion
          ? refused(cause.code)
          : new ClientError('relay-misbehaved', 'the relay sent something that is not a frame', { cause }),
      );
      return;
    }
    if (frame.type === 'appended') this.#settle(frame.requestId)?.resolve(frame.seqs);
    else if (frame.type === 'refused' && frame.requestId !== null) {
      this.#settle(frame.requestId)?.reject(refused(frame.code));
    } else if (frame.type === 'refused') this.#refusal = frame.code;
    else if (frame.type !== 'pong') onFrame(frame);
  }

  #settle(requestId: number): Waiting | undefined {
    const waiting = this.#waiting.get(requestId);
    this.#waiting.delete(requestId);
    return waiting;
  }

  #finish(): void {
    this.#end(
      this.#refusal === null
        ? new ClientError('offline', 'the connection to the relay was lost')
        : refused(this.#refusal),
    );
  }

  /** Silence could not be told any more; and the relay says at its welcome what time it is. */
  #noticeSetBack(): void {
    if (this.#heard - this.#ports.clock.now() <= SILENCE_MS) return;
    this.close(new ClientError('offline', 'the clock was set back'));
  }

  /** A half-open connection says nothing, and a relay may answer pings only: both are given up. */
  async #watch(): Promise<void> {
    const ended = new AbortController();
    void this.#closed.then(() => ended.abort());
    while (this.#ended === null) {
      await this.#ports.clock.wait(PING_MS, ended.signal);
      const nowMs = this.#ports.clock.now();
      if (nowMs - this.#heard > SILENCE_MS) {
        this.close(new ClientError('offline', 'the relay has gone silent'));
      }
      this.#noticeSetBack();
      const [oldest] = this.#waiting.values();
      if (oldest !== undefined && nowMs - oldest.sinceMs > ANSWER_MS) {
        this.close(new ClientError('relay-misbehaved', 'the relay does not answer a request'));
      }
      this.send({ type: 'ping', nonce: 0 });
    }
  }
}

function refused(code: string): ClientError {
  return new ClientError('relay-refused', `the relay refused: ${code}`, { relayCode: code });
}
