import { toHex, type DeviceId, type OrgId, type Primitives, type Random } from '@keytide/crypto-core';
import type { Clock } from '../clock.ts';
import { RelayError } from '../errors.ts';
import type { RelayLimits } from '../limits.ts';
import { shortId, type Log } from '../log-event.ts';
import type { Metrics } from '../metrics.ts';
import type { NodeStore } from '../node-store.ts';
import type { Recipients } from '../recipients.ts';
import type { PushRegistration, PushRegistrations } from './registrations.ts';
import type { PushOutcome } from './sender.ts';
import type { PushSenders } from './senders.ts';
import type { ClaimedPush, PresenceChange, PushStore } from './store.ts';

/** Tells devices that are not connected that there is something for them, once for all of it (docs/spec/push.md). */
export interface PushDispatcher {
  /** Something was stored for these devices. */
  wake(org: OrgId, devices: Recipients): void;
  /** A device has connected. */
  came(org: OrgId, device: DeviceId): void;
  /** A connection of a device has ended; `isClean` when the device closed it. */
  left(org: OrgId, device: DeviceId, isClean: boolean): void;
  /** A device has registered, maybe while it is connected. */
  registered(org: OrgId, device: DeviceId): void;
  /** Another node may have died, and its devices with nobody: looks, and where one has, through all registrations. */
  recover(): void;
  /** The store may hold something that is due and that nobody here knows of, as when a device has ended. */
  look(): void;
  /** Does what is due; what takes time goes on after it resolves. Call it every `pushTickMs`. Never rejects. */
  tick(): Promise<void>;
  /** Resolves when nobody is being told. */
  idle(): Promise<void>;
  /** Writes down what it knows; what is under way is done anew after the next start. */
  close(): Promise<void>;
}

/** What `createPushDispatcher` works with. */
export interface PushDispatcherOptions {
  readonly store: PushStore & Pick<NodeStore, 'hasLostNodes'>;
  readonly registrations: Pick<PushRegistrations, 'open'>;
  readonly senders: PushSenders;
  readonly primitives: Primitives;
  readonly random: Random;
  /** 16 bytes that name this run; of several relays on a database, those that name its lease. Default: random. */
  readonly node?: Uint8Array | null;
  readonly clock: Clock;
  readonly limits: Pick<RelayLimits, 'pushGraceMs' | 'pushIntervalMs' | 'pushRepeatMs' | 'pushesAtOnce'>;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'pushed'>;
}

interface Woken {
  readonly sinceMs: number;
  devices: Set<DeviceId> | 'everyone';
}

/** A claim ends by itself, so that what a relay was about to tell when it was killed is told by the next. */
const CLAIM_MS = 60_000;
/** How often the store is asked although nothing is known to be due: another relay may have left something. */
const LOOK_MS = 15_000;
const BACKOFF_MS = 30_000;
/** After so many failures a device is left alone until there is something new for it: about two hours. */
const TRIES = 8;
/** Organisations, and devices of one, that wait to be written down. */
const MAX_WOKEN = 10_000;
const MAX_DEVICES = 256;

/** For a relay that tells nobody. */
export const NO_PUSH: PushDispatcher = {
  wake: () => undefined,
  came: () => undefined,
  left: () => undefined,
  registered: () => undefined,
  recover: () => undefined,
  look: () => undefined,
  tick: () => Promise.resolve(),
  idle: () => Promise.resolve(),
  close: () => Promise.resolve(),
};

/** Nothing is known yet: the first `tick` finds out what was missed. */
export function createPushDispatcher(options: PushDispatcherOptions): PushDispatcher {
  const { store, clock, limits, log } = options;
  const node = options.node ?? options.random(16);
  const closing = new AbortController();
  /** How many connections each connected device has. */
  const here = new Map<string, number>();
  let presence = new Map<string, PresenceChange>();
  const woken = new Map<OrgId, Woken>();
  /** When something was stored for an organisation last, if that is not long ago. */
  const storedMs = new Map<OrgId, number>();
  const sending = new Set<Promise<void>>();
  /** Whether to look through all registrations: for what an earlier run has left, or a node that has died. */
  let toRecover: 'always' | 'after-a-death' | 'no' = 'always';
  let lookMs = 0;
  let working: Promise<void> | null = null;

  function change(kind: PresenceChange['kind'], org: OrgId, device: DeviceId): void {
    presence.set(org + device, { org, device, kind });
  }

  async function writePresence(dueMs: number): Promise<void> {
    if (presence.size === 0) return;
    const changes = presence;
    presence = new Map();
    try {
      if ((await store.putPresence(node, [...changes.values()], dueMs)) > 0) lookMs = 0;
    } catch (error) {
      presence = new Map([...changes, ...presence]);
      throw error;
    }
  }

  async function writeWoken(graceMs: number): Promise<void> {
    const nowMs = clock.now();
    const { pushIntervalMs: intervalMs, pushRepeatMs: repeatMs } = limits;
    for (const [org, { sinceMs, devices }] of woken) {
      // A clock that was set back must not hold anything up.
      if (Math.abs(nowMs - sinceMs) < graceMs) continue;
      woken.delete(org);
      try {
        const whom = devices === 'everyone' ? null : [...devices];
        if ((await store.markPushDue(org, whom, { nowMs, intervalMs, repeatMs })) > 0) lookMs = 0;
      } catch (error) {
        wake(org, devices === 'everyone' ? devices : [...devices]);
        throw error;
      }
    }
    for (const [org, atMs] of storedMs) if (Math.abs(nowMs - atMs) >= graceMs) storedMs.delete(org);
  }

  async function startDue(): Promise<void> {
    const nowMs = clock.now();
    const room = limits.pushesAtOnce - sending.size;
    if (room <= 0 || nowMs < lookMs) return;
    const claims = await store.claimPushes(nowMs, nowMs + CLAIM_MS, room);
    const isMore = claims.length === room;
    for (const claim of claims) {
      const sent = tell(claim)
        .catch(failed)
        .finally(() => {
          sending.delete(sent);
          lookMs = 0;
          if (isMore && !closing.signal.aborted) void tick();
        });
      sending.add(sent);
    }
    lookMs = Math.min((await store.nextPushMs()) ?? Infinity, nowMs + LOOK_MS);
  }

  async function tell(claim: ClaimedPush): Promise<void> {
    const { org, device } = claim;
    let registration: PushRegistration;
    try {
      registration = await options.registrations.open(claim);
    } catch (error) {
      // It will never open; what a device registers anew takes its place.
      if (error instanceof RelayError && error.code === 'data-damaged')
        await store.settlePush(claim, { nowMs: clock.now(), ticket: null });
      throw error;
    }
    const { kind } = registration;
    const outcome = await send(claim, registration);
    const code = outcome.kind === 'later' ? outcome.code : outcome.kind;
    log({ event: 'push', org: shortId(org), kind, outcome: code });
    options.metrics.pushed(kind, code);
    const nowMs = clock.now();
    if (outcome.kind === 'gone') return store.deletePushRegistration(org, device, claim.name);
    if (outcome.kind === 'told' || claim.tries + 1 >= TRIES)
      return store.settlePush(claim, { nowMs, ticket: outcome.kind === 'told' ? outcome.ticket : null });
    await store.postponePush(claim, nowMs + Math.max(outcome.afterMs, backoffMs(claim.tries)));
  }

  async function send(claim: ClaimedPush, { kind, target }: PushRegistration): Promise<PushOutcome> {
    const sender = options.senders.byKind.get(kind);
    // The operator has taken this way away; the device finds out when it registers again.
    if (sender === undefined) return { kind: 'gone' };
    return sender.send({ target, id: idOf(claim), ticket: claim.ticket, signal: closing.signal });
  }

  /** The same until the device was told. */
  function idOf({ name, toldMs }: ClaimedPush): string {
    const { primitives } = options;
    return toHex(primitives.sha256(new TextEncoder().encode(`push ${toHex(name)} ${toldMs}`))).slice(0, 32);
  }

  /** Doubled with each try, and spread, so that devices do not all come back to a service at once. */
  function backoffMs(tries: number): number {
    const [chance] = options.random(1) as Uint8Array & [number];
    return Math.round(BACKOFF_MS * 2 ** tries * (0.75 + chance / 512));
  }

  function failed(error: unknown): void {
    const code = error instanceof RelayError ? error.code : 'unavailable';
    log({ event: 'failed', where: 'push', code });
  }

  async function work(): Promise<void> {
    try {
      if (toRecover === 'always' || (toRecover === 'after-a-death' && (await store.hasLostNodes())))
        await store.recoverPushes(node, clock.now() + limits.pushIntervalMs);
      toRecover = 'no';
      await writePresence(clock.now() + limits.pushGraceMs);
      await writeWoken(limits.pushGraceMs);
      await startDue();
    } catch (error) {
      failed(error);
    }
    working = null;
  }

  function tick(): Promise<void> {
    return (working ??= work());
  }

  async function idle(): Promise<void> {
    while (sending.size > 0) await Promise.all(sending);
  }

  function wake(org: OrgId, devices: Recipients): void {
    if (devices !== 'everyone' && devices.length === 0) return;
    storedMs.set(org, clock.now());
    const known = woken.get(org);
    if (known === undefined) {
      // Should so many wait, the store has not answered for long; a word is only a hint.
      if (woken.size >= MAX_WOKEN) return failed(new RelayError('unavailable', 'too many to wake'));
      const whom = devices === 'everyone' ? devices : new Set(devices);
      woken.set(org, { sinceMs: clock.now(), devices: whom });
    } else if (devices === 'everyone') known.devices = devices;
    else if (known.devices !== 'everyone') {
      for (const device of devices) known.devices.add(device);
      if (known.devices.size > MAX_DEVICES) known.devices = 'everyone';
    }
  }

  return {
    wake,
    came(org, device) {
      const connections = here.get(org + device) ?? 0;
      here.set(org + device, connections + 1);
      if (connections === 0) change('came', org, device);
    },
    left(org, device, isClean) {
      const connections = here.get(org + device) ?? 1;
      if (connections > 1) return void here.set(org + device, connections - 1);
      here.delete(org + device);
      change(isClean ? 'left' : 'lost', org, device);
      // What was stored a moment ago and what it said last may have crossed on their ways.
      const atMs = storedMs.get(org) ?? -Infinity;
      if (isClean && Math.abs(clock.now() - atMs) < limits.pushGraceMs) wake(org, [device]);
    },
    registered(org, device) {
      if (here.has(org + device)) change('came', org, device);
    },
    recover() {
      if (toRecover === 'no') toRecover = 'after-a-death';
    },
    look() {
      lookMs = 0;
    },
    tick,
    idle,
    async close() {
      closing.abort();
      await working;
      await idle();
      try {
        // Who was connected until now comes back by itself after a restart.
        await writePresence(clock.now() + limits.pushIntervalMs);
        await writeWoken(0);
      } catch (error) {
        failed(error);
      }
      options.senders.close();
    },
  };
}
