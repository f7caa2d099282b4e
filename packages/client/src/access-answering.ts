import {
  createAccessAnswer,
  sorted,
  toHex,
  type AccessRequest,
  type EpochStatement,
  type GrantedKey,
  type OpenedAccessAnswer,
  type MemberId,
  type Secret,
} from '@keytide/crypto-core';
import { createGrantRecord, DirectoryError, type Device, type Member } from '@keytide/key-directory';
import type { AccessApi } from './access-api.ts';
import type { AccessDecisions } from './access-decisions.ts';
import type { AccessEvent, AccessRequestView } from './access-view.ts';
import { appendEntry, type MembershipLog } from './append-entry.ts';
import { entitlementOf, weigh, type AccessNeed } from './entitlement.ts';
import { ClientError } from './errors.ts';
import { LogReading } from './log-reading.ts';
import { readRequest, type VerifiedRequests } from './read-request.ts';
import { adminOf } from './witness-demand.ts';

/** The epochs of an admin's device; see `EpochRing`. */
interface GivenEpochs {
  /** The newest that it has heard of. */
  readonly current: Pick<EpochStatement, 'epoch'> | null;
  keyOf(epoch: number): Promise<Secret | null>;
  statementOf(epoch: number): EpochStatement | null;
}

/** What answering works with. */
export interface AnsweringOptions {
  readonly log: MembershipLog;
  readonly api: AccessApi;
  readonly decisions: AccessDecisions;
  readonly epochs: GivenEpochs;
  now(): number;
  /** Whether a member's devices have changed since this device's person took note of them. */
  isChanged(member: MemberId): boolean;
  tell(event: AccessEvent): void;
}

/** A request that may be answered, as it was weighed last. */
interface Open {
  readonly id: string;
  readonly request: AccessRequest;
  readonly from: Device;
  readonly give: readonly number[];
  readonly needs: readonly AccessNeed[];
}

/** What an admin's device does about the requests of others (docs/spec/access.md). Calls come one at a time. */
export class Answering {
  readonly #options: AnsweringOptions;
  readonly #reading: LogReading;
  readonly #verified: VerifiedRequests = new Map();
  readonly #told = new Set<string>();
  readonly #refused = new Set<string>();
  #open = new Map<string, Open>();
  #shown = '';
  #isBehind = false;

  constructor(options: AnsweringOptions) {
    this.#options = options;
    this.#reading = new LogReading(options.log.ports.primitives, options.log.directory);
  }

  /** What waits for the person, in the order in which it was asked. */
  get inbox(): readonly AccessRequestView[] {
    const { decisions } = this.#options;
    const waiting = [...this.#open.values()].filter(
      ({ id, needs }) => needs.length > 0 && decisions.of(id) === null,
    );
    return sorted(waiting, (a, b) => a.request.createdMs - b.request.createdMs).map((open) =>
      this.#viewOf(open),
    );
  }

  /**
   * Whether a request was left alone at the last look because it names an epoch that this device has not heard of: to
   * give the rest would use the request up.
   */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  /** Reads what the relay has. Resolves with what can be answered without a person, or was decided by one. */
  async look(): Promise<readonly string[]> {
    const { log, api, decisions } = this.#options;
    if (log.directory.size === 0 || adminOf(log.directory.state, log.self.device) === null) {
      this.#settle(new Map());
      return [];
    }
    const wires = await api.requests();
    await log.pullDirectory();
    this.#forgetBut(wires);
    const open = new Map<string, Open>();
    this.#isBehind = false;
    for (const wire of wires) {
      const found = await this.#read(wire);
      if (found !== null) open.set(found.id, found);
    }
    await decisions.keep(new Set(open.keys()));
    this.#settle(open);
    return [...open.values()]
      .filter(({ id, needs }) => needs.length === 0 || decisions.of(id) !== null)
      .map(({ id }) => id);
  }

  /** Carries out what is decided, as far as it still is: others may have answered meanwhile. */
  async answer(id: string): Promise<void> {
    const found = this.#open.get(id);
    const decision = this.#options.decisions.of(id);
    if (found === undefined) return;
    if (decision !== null && decision.refusal !== null) return await this.#refuse(found, decision.refusal);
    if (decision !== null || found.needs.length === 0) await this.#grant(found);
  }

  /** @throws ClientError `unknown-request`, `beyond-entitlement`, `offline`, …: then it is tried again by itself */
  async decide(id: string, refusal: string | null): Promise<void> {
    const found = this.#open.get(id);
    const decided = this.#options.decisions.of(id);
    if (found === undefined || (decided !== null && decided.refusal !== null))
      throw new ClientError('unknown-request', 'no such request waits for an answer');
    await this.#options.decisions.decide(id, { refusal });
    this.#settle(this.#open);
    await this.answer(id);
  }

  /** Requests that do not hold are told of once; those that have their grant or that nothing can be given for, never. */
  async #read(wire: Uint8Array): Promise<Open | null> {
    const { log, now } = this.#options;
    const { primitives, state } = this.#context;
    const nowMs = now();
    const read = readRequest(
      {
        primitives,
        state,
        nowMs,
        rootAt: (size) => log.directory.rootAt(size),
        grantsTo: (device) => this.#reading.grantsTo(device),
        verified: this.#verified,
      },
      wire,
    );
    if (read === null) return null;
    if ('code' in read) {
      const name = toHex(primitives.sha256(wire)) + read.code;
      if (!this.#told.has(name)) this.#options.tell({ kind: 'rejected', what: 'request', code: read.code });
      this.#told.add(name);
      return null;
    }
    if (read.from.id === log.self.device) return null;
    if (read.request.lastEpoch > (this.#options.epochs.current?.epoch ?? 0)) {
      this.#isBehind = true;
      return null;
    }
    const weighed = await this.#weigh(read.request, read.from);
    return weighed.give.length === 0 ? null : { ...read, id: toHex(read.request.hash), ...weighed };
  }

  /** What the relay shows no more is not remembered: as much stays as it shows. */
  #forgetBut(wires: readonly Uint8Array[]): void {
    const { primitives } = this.#context;
    const shown = new Set(wires.map((wire) => toHex(primitives.sha256(wire))));
    for (const name of this.#verified.keys()) if (!shown.has(name)) this.#verified.delete(name);
  }

  /** By the log of this device as it is now; of the epochs that may be given, those whose keys are here. */
  async #weigh(request: AccessRequest, from: Device): Promise<Pick<Open, 'give' | 'needs'>> {
    const { epochs, isChanged, now } = this.#options;
    const { state } = this.#context;
    const member = state.members.get(from.member) as Member;
    const { wipes } = this.#reading;
    const nowMs = now();
    const weighed = weigh({
      state,
      device: from.id,
      asked: request,
      now: entitlementOf(state, member, wipes, nowMs),
      asOfAsking: entitlementOf(state, member, wipes, Math.min(nowMs, request.createdMs)),
      isChanged: isChanged(member.id),
      nowMs,
      grants: this.#reading.grantsTo(from.id),
      statementOf: (epoch) => epochs.statementOf(epoch),
    });
    const give: number[] = [];
    for (const epoch of weighed.give) {
      const key = await epochs.keyOf(epoch);
      if (key !== null) give.push(epoch);
      key?.dispose();
    }
    return { give, needs: weighed.needs };
  }

  async #grant({ id, request, from }: Open): Promise<void> {
    const { log, api, epochs } = this.#options;
    await log.pullDirectory();
    if (log.directory.state.grants.has(id) || log.directory.state.devices.get(from.id)?.revokedAt !== null)
      return this.#done(id);
    const { give, needs } = await this.#weigh(request, from);
    // Something has come up since it was weighed that a person has to see.
    if (needs.length > 0 && this.#options.decisions.of(id) === null) return;
    const keys: GrantedKey[] = [];
    for (const epoch of give) {
      const key = await epochs.keyOf(epoch);
      if (key !== null) keys.push({ epoch, key });
    }
    try {
      const [first, last] = [keys[0], keys[keys.length - 1]];
      if (first === undefined || last === undefined)
        throw new ClientError('beyond-entitlement', 'nothing of this may be given any more');
      if (!(await api.answer(id, this.#sealed(request, { verdict: 'granted', keys })))) return this.#done(id);
      await this.#record(request, first.epoch, last.epoch);
      this.#done(id);
    } finally {
      for (const { key } of keys) key.dispose();
    }
  }

  /** After the answer, so that whoever finds the entry in the log can have the keys. */
  async #record(request: AccessRequest, firstEpoch: number, lastEpoch: number): Promise<void> {
    const { device, group } = request;
    const grant = { request: request.hash, device, group, firstEpoch, lastEpoch };
    try {
      await appendEntry(this.#options.log, (context) => ({ wire: createGrantRecord({ ...context, grant }) }));
    } catch (error) {
      if (!(error instanceof DirectoryError) || !OVERTAKEN.has(error.code)) throw error;
    }
  }

  async #refuse({ id, request }: Open, reason: string): Promise<void> {
    if (this.#refused.has(id)) return;
    await this.#options.api.answer(id, this.#sealed(request, { verdict: 'refused', reason }));
    this.#refused.add(id);
  }

  #sealed(request: AccessRequest, content: OpenedAccessAnswer): Uint8Array {
    const { log, now } = this.#options;
    const { primitives } = log.ports;
    return createAccessAnswer({ primitives, signer: log.self.signer, request, content, createdMs: now() });
  }

  #done(id: string): void {
    this.#settle(new Map([...this.#open].filter(([other]) => other !== id)));
  }

  /** Tells when what waits for the person has changed. */
  #settle(open: Map<string, Open>): void {
    this.#open = open;
    const { inbox } = this;
    const shown = inbox.map(({ id, needs }) => `${id} ${needs.join(' ')}`).join('\n');
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#options.tell({ kind: 'inbox', requests: inbox });
  }

  #viewOf({ id, request, from, give, needs }: Open): AccessRequestView {
    const { epochs } = this.#options;
    const { handle, role } = this.#context.state.members.get(from.member) as Member;
    const [firstEpoch, lastEpoch] = [give[0] as number, give[give.length - 1] as number];
    return {
      id,
      member: from.member,
      handle,
      role,
      device: from.id,
      gives: {
        firstEpoch,
        lastEpoch,
        fromMs: epochs.statementOf(firstEpoch)?.blockStartMs ?? 0,
        toMs: epochs.statementOf(lastEpoch)?.blockEndMs ?? 0,
      },
      askedMs: request.createdMs,
      needs,
    };
  }

  get #context() {
    const { log } = this.#options;
    return { primitives: log.ports.primitives, state: log.directory.state };
  }
}

/** Another admin was faster, or the device is gone. */
const OVERTAKEN: ReadonlySet<string> = new Set(['already-granted', 'unknown-device']);
