import { toBase64Url, type GroupId } from '@keytide/crypto-core';
import {
  decodeFrameList,
  decodeRelayFrame,
  encodeClientFrame,
  type ClientFrame,
  type RelayFrame,
} from '@keytide/relay-protocol';
import { ClientError } from './errors.ts';
import type { Dial, LineEnd } from './line.ts';
import type { Ports } from './ports.ts';
import { callRelay } from './relay-api.ts';

/** What `dialPolled` works with. */
interface PolledLineOptions {
  readonly ports: Pick<Ports, 'fetch' | 'clock'>;
  /** Of the organisation's routes: `…/v1/organisations/ORG`. */
  readonly url: string;
  readonly group: GroupId;
}

/** Under the time that a call may take. */
const WAIT_SECONDS = 15;
/** Between the beginnings of two polls, where the first brought nothing. */
const REST_MS = 1_000;

/**
 * A line over plain requests, for networks that let no WebSocket through (docs/spec/frames.md, "Without a WebSocket"):
 * one request waits for what comes, and each frame that is stored is one request, in order. Ephemeral frames do not
 * travel on it.
 */
export function dialPolled(options: PolledLineOptions): Dial {
  return (end) => new PolledLine(options, end);
}

class PolledLine {
  readonly #options: PolledLineOptions;
  readonly #end: LineEnd;
  #token = '';
  #afterSeq: number | null = null;
  /** What that is of. */
  #timeline = '';
  #directorySize: number | null = null;
  #isOver = false;
  readonly #over = new AbortController();
  #sending: Promise<void> = Promise.resolve();

  constructor(options: PolledLineOptions, end: LineEnd) {
    this.#options = options;
    this.#end = end;
    void Promise.resolve().then(() => end.opened());
  }

  send(frame: ClientFrame): void {
    if (this.#isOver) return;
    if (frame.type === 'hello') {
      this.#token = frame.token;
      if (this.#directorySize === null) void this.#try(() => this.#lookUp());
    } else if (frame.type === 'ping') void this.#try(() => this.#lookUp());
    else if (frame.type === 'subscribe') {
      const isFirst = this.#afterSeq === null;
      this.#afterSeq = frame.afterSeq;
      this.#timeline = frame.timeline === undefined ? '' : `&timeline=${toBase64Url(frame.timeline)}`;
      if (isFirst) void this.#try(() => this.#keepPolling());
    } else if (frame.type !== 'ephemeral')
      this.#sending = this.#sending.then(() => this.#try(() => this.#handIn(frame)));
  }

  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#over.abort();
    this.#end.ended();
  }

  /** Whether the relay is there. */
  async #lookUp(): Promise<void> {
    for (const frame of await this.#frames('?wait=0')) this.#receive(frame);
  }

  async #keepPolling(): Promise<void> {
    // Whoever has nothing to catch up on is told so at once.
    let wait = 0;
    while (!this.#isOver) {
      const afterSeq = this.#afterSeq as number;
      // A relay that answers at once, again and again, keeps nobody busy.
      const rest = wait === 0 ? null : this.#options.ports.clock.wait(REST_MS, this.#over.signal);
      const frames = await this.#frames(`?after=${afterSeq}${this.#timeline}&wait=${wait}`);
      wait = WAIT_SECONDS;
      // Whoever subscribed again meanwhile wants something else.
      for (const frame of frames)
        if (this.#afterSeq === afterSeq || frame.type === 'welcome') this.#receive(frame);
      if (this.#afterSeq === afterSeq) this.#afterSeq = endOf(frames, afterSeq);
      if (this.#afterSeq === afterSeq) await rest;
    }
  }

  async #handIn(frame: ClientFrame): Promise<void> {
    const bytes = await this.#call('POST', '', encodeClientFrame(frame));
    this.#receive(decodeRelayFrame(bytes));
  }

  async #frames(query: string): Promise<RelayFrame[]> {
    return decodeFrameList(await this.#call('GET', query));
  }

  #call(method: string, query: string, body?: Uint8Array): Promise<Uint8Array> {
    const { ports, url, group } = this.#options;
    const request = { method, url: `${url}/groups/${group}/entries${query}`, body, token: this.#token };
    return callRelay(ports, request, (bytes) => bytes);
  }

  /** A socket says once how large the membership log is, and then when it has grown. */
  #receive(frame: RelayFrame): void {
    if (this.#isOver) return;
    if (frame.type !== 'welcome') return this.#end.received(frame);
    const { directorySize: size } = frame;
    const before = this.#directorySize;
    this.#directorySize = size;
    if (before !== null && size !== before) this.#end.received({ type: 'directory', size });
    this.#end.received(before === null ? frame : { type: 'pong', nonce: 0 });
  }

  async #try(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (this.#isOver) return;
      if (error instanceof ClientError && error.code === 'relay-refused')
        this.#end.received({ type: 'refused', requestId: null, code: error.relayCode ?? '' });
      else if (!(error instanceof ClientError) || error.code === 'relay-misbehaved')
        this.#end.received(null, error);
      this.close();
    }
  }
}

/** Where the log was read to. */
function endOf(frames: readonly RelayFrame[], afterSeq: number): number {
  let seq = afterSeq;
  for (const frame of frames) {
    if (frame.type === 'entries') seq = frame.firstSeq + frame.entries.length - 1;
    if (frame.type === 'caught-up') seq = frame.headSeq;
  }
  return seq;
}
