import {
  CryptoError,
  MAX_REQUESTED_EPOCHS,
  toHex,
  type DeviceId,
  type EpochStatement,
  type GrantedKey,
  type GroupId,
  type MemberId,
} from '@keytide/crypto-core';
import { checkpointOf, type Member } from '@keytide/key-directory';
import type { AccessApi } from './access-api.ts';
import type { AccessEvent, OwnRequestView } from './access-view.ts';
import type { MembershipLog } from './append-entry.ts';
import { entitlementOf, grantsTo, isEntitled, wipesIn, type WireAt } from './entitlement.ts';
import { grantOf, judgeAnswer, type AnswerRejection, type AnswerVerdict } from './judge-answer.ts';
import type { OwnRequest, OwnRequests } from './own-request.ts';

/** The epochs of the device that asks; see `EpochRing`. */
interface LackedEpochs {
  lacking(): readonly { readonly statement: EpochStatement; readonly wasRecipient: boolean }[];
  statementOf(epoch: number): EpochStatement | null;
  importKeys(keys: readonly GrantedKey[]): Promise<readonly number[]>;
}

/** What asking for keys works with. */
export interface AskingOptions {
  readonly log: Pick<MembershipLog, 'ports' | 'self' | 'directory' | 'pullDirectory'>;
  readonly group: GroupId;
  readonly api: AccessApi;
  readonly requests: OwnRequests;
  readonly epochs: LackedEpochs;
  /** Milliseconds since 1970, never running backwards. */
  now(): number;
  /** Shows what has become readable. */
  reread(): Promise<void>;
  tell(event: AccessEvent): void;
}

/** A request that nobody answers is made anew this often, of the retention window. */
const RENEWED = 0.5;
/** How long a device waits to ask by itself after an answer that brought it nothing. */
const PAUSE_MS = 3_600_000;

/** This device asks for the keys it lacks, and takes the answer (docs/spec/access.md). Calls come one at a time. */
export class Asking {
  readonly #options: AskingOptions;
  readonly #told = new Set<string>();
  #pausedUntilMs = 0;
  /** Keys have come, and what they open is not shown yet. */
  #isUnread = false;
  #spent: { readonly id: string; readonly untilMs: number } | null = null;

  constructor(options: AskingOptions) {
    this.#options = options;
  }

  /** The request that waits for its answer, or `null`. */
  get outstanding(): OwnRequestView | null {
    const { requests } = this.#options;
    return requests.current === null ? null : this.#viewOf(requests.current);
  }

  /** Asks for everything that this device may have and lacks; `null` when there is nothing. Durable when it resolves. */
  async ask(): Promise<OwnRequestView | null> {
    const { requests } = this.#options;
    const lacking = this.#lacking(true);
    if (lacking.length === 0) return null;
    const { current } = requests;
    const isCovered =
      current !== null && current.isPersons && covers(current, lacking) && !this.#isStale(current);
    return this.#viewOf(isCovered ? current : await this.#make(lacking, true));
  }

  /** Brings the relay the request, and takes what it has for it. @throws ClientError `offline`, `relay-refused`, … */
  async tick(): Promise<void> {
    const { requests, api } = this.#options;
    await this.#show();
    if (requests.current !== null && !this.#isWanted(requests.current)) {
      const { id } = requests.current;
      await requests.drop();
      await api.forget(id);
    }
    if (requests.current === null) await this.#askByItself();
    const { current } = requests;
    if (current === null) return;
    // Before asking: an answer is at the relay before its entry is in the log.
    const isGranted = grantOf({ ...this.#context, own: current }) !== null;
    const answers = await api.answers(current.id);
    if (await this.#take(current, answers ?? [], isGranted)) return;
    if (isGranted ? this.#isPauseOver(current) : this.#isOutdated(current)) {
      const lacking = this.#lacking(current.isPersons);
      if (lacking.length > 0) await api.ask((await this.#make(lacking, current.isPersons)).wire);
    } else if (answers === null && !isGranted) await api.ask(current.wire);
  }

  /** What was sealed to this device once and has not come, it asks for without a person. */
  async #askByItself(): Promise<void> {
    const { requests, now } = this.#options;
    const lacking = this.#lacking(false);
    const isNew = lacking.some((epoch) => epoch > requests.refusedThrough);
    if (isNew && now() >= this.#pausedUntilMs) await this.#make(lacking, false);
  }

  /** The log's only grant for it is spent, and was good for nothing here so far: the device asks anew, not at once. */
  #isPauseOver({ id }: OwnRequest): boolean {
    const nowMs = this.#options.now();
    if (this.#spent?.id !== id) this.#spent = { id, untilMs: nowMs + PAUSE_MS };
    return nowMs >= this.#spent.untilMs;
  }

  #isOutdated(own: OwnRequest): boolean {
    return own.request.createdMs + this.#renewMs < this.#options.now() || this.#isStale(own);
  }

  /** Whether the request has found its end. */
  async #take(own: OwnRequest, answers: readonly Uint8Array[], isGranted: boolean): Promise<boolean> {
    const { log, api, requests } = this.#options;
    if (answers.length > 0) await log.pullDirectory();
    const verdicts = answers.map((wire) => this.#judge(own, wire));
    for (const verdict of verdicts) {
      if (verdict.kind !== 'granted' || !(await this.#import(verdict))) continue;
      await requests.drop();
      await api.forget(own.id);
      return true;
    }
    // Another admin's no is not the answer that the log speaks of.
    if (isGranted && verdicts.every(({ kind }) => kind === 'refused'))
      this.#reject(own.id, 'answer-withheld');
    const refused = verdicts.find(({ kind }) => kind === 'refused');
    // Whoever gives is about to say so in the log: one admin's yes is worth more than another's no.
    const isGiven =
      grantOf({ ...this.#context, own }) !== null || verdicts.some(({ kind }) => kind === 'waiting');
    if (!isGiven && refused?.kind === 'refused') {
      await requests.dropRefused();
      this.#options.tell({ kind: 'refused', reason: refused.reason, by: this.#memberOf(refused.author) });
      await api.forget(own.id);
      return true;
    }
    return false;
  }

  #judge(own: OwnRequest, wire: Uint8Array): AnswerVerdict {
    const verdict = judgeAnswer({ ...this.#context, own }, wire);
    if (verdict.kind === 'rejected') this.#reject(this.#nameOf(wire), verdict.code);
    return verdict;
  }

  /** All keys or none. */
  async #import({ keys, author }: Extract<AnswerVerdict, { kind: 'granted' }>): Promise<boolean> {
    const { epochs, now, tell } = this.#options;
    try {
      const taken = await epochs.importKeys(keys);
      if (taken.length === 0) this.#pausedUntilMs = now() + PAUSE_MS;
      else this.#isUnread = true;
      await this.#show();
      tell({ kind: 'granted', epochs: taken, by: this.#memberOf(author) });
      return true;
    } catch (error) {
      if (!(error instanceof CryptoError) || error.code !== 'commitment-mismatch') throw error;
      this.#reject(author, error.code);
      return false;
    } finally {
      for (const { key } of keys) key.dispose();
    }
  }

  /** What cannot be shown now is at the next tick: the keys are here, and nobody asks for them again. */
  async #show(): Promise<void> {
    if (!this.#isUnread) return;
    await this.#options.reread();
    this.#isUnread = false;
  }

  #reject(name: string, code: AnswerRejection): void {
    if (this.#told.has(name + code)) return;
    this.#told.add(name + code);
    this.#options.tell({ kind: 'rejected', what: 'answer', code });
  }

  async #make(lacking: readonly number[], isPersons: boolean): Promise<OwnRequest> {
    const { log, group, requests, now } = this.#options;
    const { state } = log.directory;
    const lastEpoch = Math.max(...lacking);
    return requests.make(
      {
        org: state.org,
        group,
        device: log.self.device,
        firstEpoch: Math.max(Math.min(...lacking), lastEpoch - MAX_REQUESTED_EPOCHS + 1),
        lastEpoch,
        checkpoint: checkpointOf(state),
        createdMs: now(),
      },
      isPersons,
    );
  }

  /** The epochs that this device may have and lacks; without `all`, only those that were sealed to it. */
  #lacking(all: boolean): readonly number[] {
    const { log, epochs, now } = this.#options;
    if (log.directory.size === 0) return [];
    const { primitives, state, wireAt } = this.#context;
    const member = state.members.get(this.#memberOf(log.self.device));
    if (member === undefined) return [];
    const entitlement = entitlementOf(state, member, wipesIn(primitives, state, wireAt), now());
    return epochs
      .lacking()
      .filter(({ statement, wasRecipient }) => (all || wasRecipient) && isEntitled(entitlement, statement))
      .map(({ statement }) => statement.epoch);
  }

  #isWanted({ request, isPersons }: OwnRequest): boolean {
    return this.#lacking(isPersons).some(
      (epoch) => epoch >= request.firstEpoch && epoch <= request.lastEpoch,
    );
  }

  /** No admin answers what names a log that ends before a grant to this device. */
  #isStale({ id, request }: OwnRequest): boolean {
    const { primitives, state, wireAt } = this.#context;
    return grantsTo(primitives, state, wireAt, request.device).some(
      (grant) => grant.index >= request.checkpoint.size && toHex(grant.request) !== id,
    );
  }

  #viewOf({ id, request }: OwnRequest): OwnRequestView {
    const { firstEpoch, lastEpoch, createdMs } = request;
    const { epochs } = this.#options;
    return {
      id,
      firstEpoch,
      lastEpoch,
      askedMs: createdMs,
      fromMs: epochs.statementOf(firstEpoch)?.blockStartMs ?? 0,
      toMs: epochs.statementOf(lastEpoch)?.blockEndMs ?? 0,
    };
  }

  #nameOf(wire: Uint8Array): string {
    return toHex(this.#options.log.ports.primitives.sha256(wire));
  }

  #memberOf(device: DeviceId): MemberId {
    return this.#options.log.directory.state.devices.get(device)?.member as Member['id'];
  }

  get #renewMs(): number {
    return this.#options.log.directory.state.policy.retentionSeconds * 1000 * RENEWED;
  }

  get #context() {
    const { log } = this.#options;
    const { directory } = log;
    const wireAt: WireAt = (index) => directory.wires(index, index + 1)[0] as Uint8Array;
    return { primitives: log.ports.primitives, state: directory.state, wireAt };
  }
}

function covers({ request }: OwnRequest, lacking: readonly number[]): boolean {
  return lacking.every((epoch) => epoch >= request.firstEpoch && epoch <= request.lastEpoch);
}
