import { MAX_REFUSAL_CHARACTERS } from '@keytide/crypto-core';
import { Answering, type AnsweringOptions } from './access-answering.ts';
import { Asking, type AskingOptions } from './access-asking.ts';
import type { AccessRequestView, OwnRequestView } from './access-view.ts';
import { Changes } from './changes.ts';
import { ClientError } from './errors.ts';
import { passes } from './failure.ts';
import type { Part } from './part.ts';
import type { Ports } from './ports.ts';
import { Serial } from './serial.ts';
import type { Sync } from './sync.ts';

/** What access works with. */
export type AccessOptions = AskingOptions &
  AnsweringOptions & {
    readonly ports: Pick<Ports, 'clock' | 'random'>;
    /** Whether it has all that the relay has: before, it knows neither what it lacks nor what it may give. */
    isOnline(): boolean;
    readonly sync: () => Pick<Sync, 'state' | 'until' | 'assertNotOver'>;
  };

/** Its socket tells a device of news; this is for a hint that was lost, and for what time alone makes due. */
const STEP_MS = 3_600_000;
const AGAIN_MS = 5_000;
/** So many looks at once, then one in so long: hints that come faster are looked after together. */
const LOOKS = 60;
const EACH_LOOK_MS = 2_000;
/** Admins who are online together wait up to this long, each a while of its own, so that one of them answers. */
const JITTER_MS = 2_000;
/** How long a person's request waits for what is being read. */
const CATCH_UP_MS = 60_000;

/**
 * Asking for epoch keys that are gone, and giving them (docs/spec/access.md): what waits for this admin's word, and
 * in the background what needs none.
 */
export class Access implements Part {
  readonly topic = 'access';
  readonly #options: AccessOptions;
  readonly #asking: Asking;
  readonly #answering: Answering;
  readonly #jobs = new Serial();
  readonly #changes = new Changes();
  readonly #stopped = new AbortController();
  #pause = new AbortController();
  #running: Promise<void> | null = null;
  /** Until when the looks so far last, each so long. */
  #lookedMs = 0;

  constructor(options: AccessOptions) {
    this.#options = options;
    this.#asking = new Asking(options);
    this.#answering = new Answering({
      ...options,
      tell: (event) => {
        this.#changed();
        options.tell(event);
      },
    });
  }

  /**
   * The requests that wait for this admin's word, the oldest first; of what the relay has shown since the start. The
   * same array until that has changed.
   */
  get inbox(): readonly AccessRequestView[] {
    return this.#changes.kept('inbox', () => this.#answering.inbox);
  }

  /** Calls `listener` when `inbox` may be different; the returned function ends it. */
  subscribe(listener: () => void): () => void {
    return this.#changes.subscribe(listener);
  }

  /** This device's own request, while it waits for an answer; `null` for none. */
  get outstanding(): OwnRequestView | null {
    return this.#asking.outstanding;
  }

  /**
   * Asks the admins for the keys of everything that this member may read and this device cannot. Durable when it
   * resolves: it is sent by itself, and what it brings is shown in place. The same again while one waits. A device that
   * is connecting or catching up does not know yet what it lacks: this waits for it, a minute at the most.
   * @returns the request, or `null` when this device lacks nothing that it may have
   * @throws ClientError `not-ready` where that is not known: ask again once it is online; `closed`, `wiped`, `locked`, or
   *   the reason why sync stopped
   */
  async request(): Promise<OwnRequestView | null> {
    const isCaughtUp = await this.#catchUp();
    const own = await this.#jobs.run(() => this.#asking.ask());
    if (own === null && !isCaughtUp) throw notReady();
    this.wake();
    return own;
  }

  /**
   * Gives the device what the view of `inbox` says. It is carried out by itself later where it fails now; another
   * admin may be faster, which is no failure.
   * @throws ClientError `unknown-request`, `beyond-entitlement`, `offline`, `relay-refused`, `unwitnessed`
   */
  approve(id: string): Promise<void> {
    return this.#decide(id, null);
  }

  /**
   * Tells the device no, in words that its person is shown and nobody else can read: 1 to 500 characters.
   * @throws ClientError as `approve`; `invalid-value`
   */
  async refuse(id: string, reason: string): Promise<void> {
    if (reason.length === 0 || reason.length > MAX_REFUSAL_CHARACTERS)
      throw new ClientError('invalid-value', `a reason has 1 to ${MAX_REFUSAL_CHARACTERS} characters`);
    await this.#decide(id, reason);
  }

  /**
   * Brings the relay what this device asks for, takes what has come, and looks what others ask for; what can be
   * answered without a person is. It all happens by itself too: this is for whoever cannot wait.
   * @throws ClientError `offline`, `relay-refused`, `unwitnessed`
   */
  async refresh(): Promise<void> {
    if (!this.#options.isOnline())
      throw new ClientError('offline', 'this device has not caught up with the relay');
    await this.#jobs.run(() => this.#asking.tick());
    const due = await this.#jobs.run(() => this.#answering.look());
    for (const id of due) await this.#jobs.run(() => this.#answering.answer(id));
  }

  wake(): void {
    if (this.#stopped.signal.aborted) return;
    this.#running ??= this.#run();
    this.#pause.abort();
  }

  /** An epoch has come, which a request may have been waiting for. */
  heardOfEpoch(): void {
    if (this.#answering.isBehind) this.wake();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#pause.abort();
    await this.#running;
    await this.#jobs.run(async () => {});
  }

  /** Whether this device has caught up, or is out of reach. @throws ClientError as `request` */
  async #catchUp(): Promise<boolean> {
    const sync = this.#options.sync();
    sync.assertNotOver();
    const isUnderWay = (): boolean => sync.state.kind === 'connecting' || sync.state.kind === 'catching-up';
    const done = new AbortController();
    const late = this.#options.ports.clock.wait(CATCH_UP_MS, done.signal);
    await Promise.race([sync.until(() => !isUnderWay()), late]).finally(() => done.abort());
    if (isUnderWay()) throw notReady();
    return this.#options.isOnline();
  }

  async #decide(id: string, reason: string | null): Promise<void> {
    try {
      await this.#jobs.run(() => this.#answering.decide(id, reason));
    } finally {
      this.#changed();
    }
  }

  #changed(): void {
    this.#changes.changed();
    this.#changes.tell();
  }

  async #run(): Promise<void> {
    const { clock } = this.#options.ports;
    while (!this.#stopped.signal.aborted) {
      // Before the work, so that who wakes it meanwhile is not forgotten.
      this.#pause = new AbortController();
      const isDone = await this.#tick();
      if (this.#stopped.signal.aborted) return;
      await clock.wait(isDone ? STEP_MS : AGAIN_MS, this.#pause.signal);
      const restMs = this.#restMs();
      if (restMs > 0) await clock.wait(restMs, this.#stopped.signal);
    }
  }

  /** How long the next look has to wait, if somebody makes the relay hint without end. */
  #restMs(): number {
    const nowMs = this.#options.ports.clock.now();
    this.#lookedMs = Math.max(this.#lookedMs, nowMs) + EACH_LOOK_MS;
    const aheadMs = this.#lookedMs - nowMs - LOOKS * EACH_LOOK_MS;
    // A clock that was set back makes nobody wait for long.
    return Math.max(0, Math.min(aheadMs, EACH_LOOK_MS));
  }

  /** Whether everything that is due was done, or cannot be before the relay is there again. */
  async #tick(): Promise<boolean> {
    const { ports, isOnline } = this.#options;
    if (!isOnline()) return true;
    const { clock } = ports;
    const asked = await this.#attempt(() => this.#asking.tick());
    let due: readonly string[] = [];
    const looked = await this.#attempt(async () => {
      due = await this.#answering.look();
    });
    if (due.length > 0) await clock.wait(this.#jitterMs, this.#stopped.signal);
    let answered = true;
    for (const id of due) {
      if (this.#stopped.signal.aborted) break;
      answered = (await this.#attempt(() => this.#answering.answer(id))) && answered;
    }
    return asked && looked && answered;
  }

  /** False when it should be tried again soon. Whoever goes offline is woken when the relay is there again. */
  async #attempt(job: () => Promise<void>): Promise<boolean> {
    try {
      await this.#jobs.run(job);
      return true;
    } catch (error) {
      // What keeps the client from going on stops its sync, which meets the same.
      return !(error instanceof ClientError) || !(passesSoon(error) && this.#options.isOnline());
    }
  }

  get #jitterMs(): number {
    const { log, ports } = this.#options;
    const isAlone = log.directory.state.actingAdmins.length === 1;
    return isAlone ? 0 : ((ports.random(1)[0] as number) / 255) * JITTER_MS;
  }
}

function notReady(): ClientError {
  return new ClientError('not-ready', 'this device does not know yet what it lacks: it has not caught up');
}

function passesSoon(error: ClientError): boolean {
  return error.code === 'unwitnessed' || passes(error);
}
