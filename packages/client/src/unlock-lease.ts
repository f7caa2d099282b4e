import { equalBytes, labelledHash, Secret, toBase64Url, type OrgId } from '@keytide/crypto-core';
import { unlockDeleteResponse, unlockLeaseResponse } from '@keytide/relay-protocol';
import type { DirectoryReplica } from './directory-replica.ts';
import { ClientError } from './errors.ts';
import type { Part } from './part.ts';
import type { Ports } from './ports.ts';
import type { RelayApi } from './relay-api.ts';
import type { LeasePlace } from './lease-place.ts';
import { encodeTicket, MAX_IDS, parseTicket, proofContext } from './unlock-ticket.ts';

interface UnlockLeaseOptions {
  readonly ports: Ports;
  readonly api: RelayApi;
  readonly directory: DirectoryReplica;
  readonly org: OrgId;
  readonly relayUrl: string;
  readonly place: LeasePlace;
  /** Nothing was heard of the relay for the lease: all that is open has to be closed. */
  onOver(): void;
  /** The relay has counted further wrong attempts at the share: so many within the lease. */
  onAttempts(wrong: number): void;
}

/** How often the clock is looked at, at least: a device that slept must not go on as if it had not. */
const LOOK_MS = 60_000;

/** Keeps a vault's unlock share at the relay as the policy says, and renews it (docs/spec/unlock-lease.md). */
export class UnlockLease implements Part {
  readonly topic = 'wipe';
  readonly #options: UnlockLeaseOptions;
  readonly #stopping = new AbortController();
  #nap = new AbortController();
  #isWoken = false;
  #running: Promise<void> | null = null;
  /** When the relay was asked that answered last, by this device's clock; `null` while there is nothing to lose. */
  #heardMs: number | null = null;
  /** Wrong attempts that were told. */
  #wrong = 0;
  /** Of a share that is on its way to the relay. */
  #newId: Uint8Array | null = null;
  /** Time that was waited since, by whatever clocks there are. */
  #waitedMs = 0;

  constructor(options: UnlockLeaseOptions) {
    this.#options = options;
  }

  /** Begins to watch. A vault that has just been opened with its share has heard of the relay. */
  start(): void {
    if (this.#options.place.vault.needsUnlockShare) this.#heard(this.#options.ports.clock.now());
    this.#running ??= this.#run();
  }

  wake(): void {
    this.#isWoken = true;
    this.#nap.abort();
  }

  /** The log has grown: perhaps the policy has a lease now, or none any more. */
  look(): void {
    if ((this.#leaseMs !== null) !== this.#options.place.vault.needsUnlockShare) this.wake();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#nap.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock } = this.#options.ports;
    let isDueMs = clock.now() + this.#stepMs();
    while (!this.#stopping.signal.aborted) {
      this.#nap = new AbortController();
      if (!this.#isWoken) {
        const ms = Math.max(1, Math.min(LOOK_MS, this.#stepMs(), this.#leftMs()));
        await clock.wait(ms, this.#nap.signal);
        if (!this.#nap.signal.aborted) this.#waitedMs += ms;
      }
      if (this.#stopping.signal.aborted) return;
      if (this.#isWoken || clock.now() >= isDueMs) {
        this.#isWoken = false;
        await this.#contact();
        isDueMs = clock.now() + this.#stepMs();
      }
      if (this.#leftMs() <= 0) return this.#options.onOver();
    }
  }

  /** What the relay refuses or does not answer is tried again; only its answer counts as heard. */
  async #contact(): Promise<void> {
    const { ports, place } = this.#options;
    const askedMs = ports.clock.now();
    try {
      if (this.#leaseMs === null) await this.#dropShare();
      else if (!place.vault.needsUnlockShare || !(await this.#renew())) await this.#giveShare();
      if (this.#leaseMs === null) this.#heardMs = null;
      else this.#heard(askedMs);
    } catch {
      // Nothing is lost: what the vault needs is where it was.
    }
  }

  /** Whether the relay still keeps the share. */
  async #renew(): Promise<boolean> {
    const { api, place } = this.#options;
    const ids = await this.#ids();
    for (const id of ids) {
      try {
        const body = { id: toBase64Url(id) };
        const { wrongAttempts } = await api.call('POST', '/unlock-share/renew', unlockLeaseResponse, body);
        if (wrongAttempts > this.#wrong) this.#options.onAttempts(wrongAttempts);
        this.#wrong = wrongAttempts;
      } catch (error) {
        if (error instanceof ClientError && error.relayCode === 'no-share') continue;
        throw error;
      }
      // What an exchange that was cut off has left in the ticket is not needed any more.
      if (ids.length > 1) await place.ticket.write(this.#ticket([id]));
      return true;
    }
    return false;
  }

  /** A new share, in an order in which a crash at any moment leaves a vault that opens. */
  async #giveShare(): Promise<void> {
    const { ports, api, place, relayUrl } = this.#options;
    const { vault, ticket } = place;
    const id = (this.#newId ??= ports.random(32));
    const others = (await this.#ids()).filter((other) => !equalBytes(other, id));
    const share = Secret.own(ports.random(32));
    await ticket.write(this.#ticket([id, ...others].slice(0, MAX_IDS)));
    const proof = vault.prove(proofContext(new URL(relayUrl).origin, id));
    const verifier = proof.use((bytes) => labelledHash(ports.primitives, 'unlockVerifier', bytes));
    proof.dispose();
    const body = { id: toBase64Url(id), share: share.use(toBase64Url), verifier: toBase64Url(verifier) };
    await api.call('POST', '/unlock-share', unlockLeaseResponse, body);
    await vault.rekey(share);
    share.dispose();
    this.#newId = null;
    await ticket.write(this.#ticket([id]));
  }

  async #dropShare(): Promise<void> {
    const { api, place } = this.#options;
    if (place.vault.needsUnlockShare) await place.vault.rekey(null);
    if ((await place.ticket.read()) === null) return;
    await api.call('POST', '/unlock-share/delete', unlockDeleteResponse, {});
    await place.ticket.delete();
  }

  /** Under which of these the relay keeps what the vault needs now; none where it needs nothing. */
  async #ids(): Promise<readonly Uint8Array[]> {
    const { vault, ticket } = this.#options.place;
    const stored = vault.needsUnlockShare ? await ticket.read() : null;
    return stored === null ? [] : parseTicket(stored).ids;
  }

  #ticket(ids: readonly Uint8Array[]): Uint8Array {
    const { relayUrl, org } = this.#options;
    return encodeTicket({ relay: new URL(relayUrl).origin, org, ids });
  }

  #heard(atMs: number): void {
    this.#heardMs = atMs;
    this.#waitedMs = 0;
  }

  get #leaseMs(): number | null {
    const { directory } = this.#options;
    const { leaseSeconds } = directory.size === 0 ? {} : directory.state.policy;
    return leaseSeconds === undefined ? null : leaseSeconds * 1000;
  }

  #stepMs(): number {
    return this.#leaseMs === null ? Infinity : this.#leaseMs / 4;
  }

  /** Until the lease is over; `Infinity` while there is nothing to lose. */
  #leftMs(): number {
    const leaseMs = this.#leaseMs;
    if (this.#heardMs === null || leaseMs === null) return Infinity;
    // A clock that was set back must not stretch it.
    const goneMs = Math.max(this.#waitedMs, this.#options.ports.clock.now() - this.#heardMs);
    return leaseMs - goneMs;
  }
}

/** Why nothing can be done here any more. */
export function locked(): ClientError {
  return new ClientError('locked', 'nothing was heard of the relay for as long as the unlock lease lasts');
}
