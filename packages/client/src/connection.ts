import { ClientError } from './errors.ts';
import { passes, reasonOf } from './failure.ts';
import type { Ports } from './ports.ts';
import type { RelaySocket } from './relay-socket.ts';

/** Where the client stands with its relay: for a status line or a progress bar. */
export type SyncState =
  /** `reason`: what ended the last attempt; `null` before the first, and where the app paused. */
  | { readonly kind: 'offline'; readonly reason: ClientError | null }
  | { readonly kind: 'connecting' }
  /** `done` of `total` entries of the group's log; `total` by the relay's word, `null` before it has said it. */
  | { readonly kind: 'catching-up'; readonly done: number; readonly total: number | null }
  | { readonly kind: 'online' }
  /** The unlock lease has run out: nothing is in memory any more. Opening the client again asks the relay. */
  | { readonly kind: 'locked' }
  /** A wipe order of the organisation named this device: everything here is destroyed. */
  | { readonly kind: 'wiped' }
  /** The app has closed the client: the last state there is. */
  | { readonly kind: 'closed' }
  /** For good; but a login that was refused, or a relay of another version, is tried again, after minutes and at last once a day, and `resume` does so now. */
  | { readonly kind: 'stopped'; readonly error: ClientError };

/** What a connection is made with, and who is told. */
interface ConnectionOptions {
  readonly ports: Ports;
  /** Does what comes before a socket, and opens it. */
  open(signal: AbortSignal): Promise<{ readonly socket: RelaySocket; readonly directorySize: number }>;
  /** There is a socket: says to the relay what this device wants of it. */
  onOpened(socket: RelaySocket, directorySize: number): void;
  /** An attempt or a socket is over: the moment to change what the next attempt begins with. */
  onFailure(reason: ClientError): void;
  onState(state: SyncState): void;
  /** Something happened, and what is shown may be different. */
  onChanged(): void;
}

const BACKOFF_MS = { first: 200, most: 10_000 };
/**
 * Refusals that no attempt soon can help, and that may end: a relay that was put back may be given back later who it
 * does not know now (docs/spec/timeline.md), and one of another version may be replaced (docs/spec/frames.md).
 */
const LOOKED_AT_AGAIN: ReadonlySet<string> = new Set(['login-refused', 'unsupported-version']);
const LOOK_AGAIN_MS = { first: 60_000, most: 86_400_000 };
/** How long what the relay acknowledged may take to come back in the log. */
const SHOW_MS = 30_000;

/** One socket to the relay at a time, a new attempt after each, and whoever waits for something to happen. */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #stopping = new AbortController();
  readonly #watchers = new Set<() => void>();
  #socket: RelaySocket | null = null;
  #state: SyncState = { kind: 'offline', reason: null };
  #run: Promise<void> | null = null;
  #isPaused = false;
  #rest = new AbortController();
  #ended: ClientError | null = null;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  get state(): SyncState {
    return this.#state;
  }

  /** The socket that is open, or `null`. */
  get socket(): RelaySocket | null {
    return this.#socket;
  }

  /** Aborted once `stop` was called. */
  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Says where the work on the connection stands. What has stopped or was closed stays so. */
  become(state: SyncState): void {
    const { kind } = this.#state;
    if (kind === 'stopped' || kind === 'closed' || this.#ended !== null) return;
    this.#show(state);
  }

  /** Why this client has ended for good by itself, or `null`. */
  get ended(): ClientError | null {
    return this.#ended;
  }

  /** Ends every attempt at once, for good; what the state is from then on follows with `show`, when it is true. */
  end(reason: ClientError): (state: SyncState) => void {
    this.#ended = reason;
    this.#stopping.abort();
    this.#rest.abort();
    this.#socket?.close();
    this.changed();
    return (state) => this.#show(state);
  }

  /** Starts to connect, and stays connected until `stop`. */
  start(): void {
    this.#run ??= this.#keepConnected();
  }

  /** Closes the socket and ends every attempt; resolves when none is under way. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#rest.abort();
    this.become({ kind: 'closed' });
    this.#socket?.close();
    await this.#run;
  }

  /** Ends the socket, and begins no other before `resume`. */
  pause(): void {
    this.#isPaused = true;
    this.#socket?.close();
  }

  /** Connects now where there is no socket; an open one is asked for a sign of life, and given up without. */
  resume(): void {
    this.#isPaused = false;
    this.#rest.abort();
    void this.#socket?.probe();
  }

  /** @throws ClientError `closed`, or the reason why sync stopped */
  assertOpen(): void {
    if (this.#ended === null && this.#state.kind === 'stopped') throw this.#state.error;
    this.assertNotOver();
  }

  /** @throws ClientError `closed`, `wiped`, `locked` */
  assertNotOver(): void {
    if (this.#ended !== null) throw this.#ended;
    if (this.signal.aborted) throw new ClientError('closed', 'the client was closed');
  }

  /** Resolves when `condition` holds; checked at each `changed`. @throws ClientError as `assertOpen` */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      this.assertOpen();
      await new Promise<void>((resolve) => this.#watchers.add(resolve));
    }
  }

  /** Lets everybody who waits look again. */
  changed(): void {
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const watcher of watchers) watcher();
    this.#options.onChanged();
  }

  /** Something failed while this socket was used: it ends, and the next attempt follows, or sync stops now. */
  giveUp(socket: RelaySocket, error: unknown): void {
    const reason = reasonOf(error);
    if (!passes(reason)) this.#fail(reason);
    socket.close(reason);
  }

  /**
   * Waits until the log holds what the relay says it has stored, or the socket is over.
   * @throws ClientError `relay-misbehaved` when it does not come, and gives the socket up
   */
  async shows(socket: RelaySocket, condition: () => boolean): Promise<void> {
    const done = new AbortController();
    let isLate = false;
    void this.#options.ports.clock.wait(SHOW_MS, done.signal).then(() => {
      isLate = true;
      this.changed();
    });
    try {
      await this.until(() => isLate || this.#socket !== socket || condition());
    } finally {
      done.abort();
    }
    if (this.#socket !== socket || condition()) return;
    const error = new ClientError('relay-misbehaved', 'the relay does not show what it says it has stored');
    this.giveUp(socket, error);
    throw error;
  }

  async #keepConnected(): Promise<void> {
    const { ports, open, onOpened } = this.#options;
    let backoffMs = BACKOFF_MS.first;
    let lookAgainMs = LOOK_AGAIN_MS.first;
    while (!this.signal.aborted && (!this.#isStopped || this.#isRefused)) {
      try {
        this.become({ kind: 'connecting' });
        const { socket, directorySize } = await open(this.signal);
        this.#socket = socket;
        if (this.#isRefused && this.#ended === null) this.#show({ kind: 'connecting' });
        if (this.#isStopped || this.#isPaused) socket.close();
        onOpened(socket, directorySize);
        const reason = await socket.closed;
        if (this.#state.kind === 'online') backoffMs = BACKOFF_MS.first;
        throw reason;
      } catch (error) {
        this.#fail(reasonOf(error));
      }
      if (this.signal.aborted || (this.#isStopped && !this.#isRefused)) break;
      const spread = (ports.random(1)[0] as number) / 255;
      if (this.#isRefused) {
        await this.#restFor(lookAgainMs * (0.5 + spread / 2));
        lookAgainMs = Math.min(2 * lookAgainMs, LOOK_AGAIN_MS.most);
        continue;
      }
      lookAgainMs = LOOK_AGAIN_MS.first;
      const isHurried = await this.#restFor(backoffMs * (0.5 + spread / 2));
      backoffMs = isHurried ? BACKOFF_MS.first : Math.min(2 * backoffMs, BACKOFF_MS.most);
    }
    this.changed();
  }

  /** Waits before the next attempt, without end where it is paused; answers whether `resume` has cut that short. */
  async #restFor(ms: number): Promise<boolean> {
    const { signal } = (this.#rest = new AbortController());
    await this.#options.ports.clock.wait(ms, signal);
    if (this.#isPaused && !this.signal.aborted)
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    return signal.aborted;
  }

  #show(state: SyncState): void {
    this.#state = state;
    this.#options.onState(state);
    this.changed();
  }

  get #isStopped(): boolean {
    return this.#state.kind === 'stopped';
  }

  /** Stopped by a refusal that may end. */
  get #isRefused(): boolean {
    return this.#state.kind === 'stopped' && LOOKED_AT_AGAIN.has(this.#state.error.relayCode ?? '');
  }

  /** Nothing is said of looks that were in vain. */
  #isShown({ code, relayCode }: ClientError): boolean {
    if (this.#state.kind !== 'stopped') return false;
    const { error } = this.#state;
    return error.code === code && error.relayCode === relayCode;
  }

  /** Most failures pass; a proof of misbehaviour or a lost right does not. */
  #fail(reason: ClientError): void {
    this.#socket?.close(reason);
    this.#socket = null;
    this.#options.onFailure(reason);
    if (this.#isRefused && this.#ended === null && !passes(reason) && !this.#isShown(reason))
      this.#show({ kind: 'stopped', error: reason });
    const offline = { kind: 'offline', reason: this.#isPaused ? null : reason } as const;
    this.become(passes(reason) ? offline : { kind: 'stopped', error: reason });
    this.changed();
  }
}
