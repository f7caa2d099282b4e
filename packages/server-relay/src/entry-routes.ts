import { groupId } from '@keytide/crypto-core';
import {
  decodeClientFrame,
  encodeFrameList,
  LIMITS,
  pollQuery,
  ProtocolError,
  type ClientFrame,
} from '@keytide/relay-protocol';
import { z } from 'zod';
import type { Clock } from './clock.ts';
import type { Routes } from './create-routes.ts';
import { RelayError } from './errors.ts';
import { hex32, type EnteredDevice } from './gate.ts';
import type { Peer } from './peer.ts';
import type { Polls } from './polls.ts';
import { rawBytes } from './route.ts';
import type { Outlet } from './subscription.ts';

/** What the routes of a group's entries work with. */
export interface EntryRoutesOptions {
  readonly polls: Pick<Polls, 'poll'>;
  readonly clock: Clock;
  /** Which past this relay's logs have: 16 bytes. */
  readonly timeline: Uint8Array;
  /** Lends somebody for one request: what carries the frames is all that differs from a socket. */
  readonly withPeer: (
    caller: EnteredDevice,
    outlet: Outlet,
    use: (peer: Peer) => Promise<void>,
  ) => Promise<void>;
}

const path = '/v1/organisations/:org/groups/:group/entries';
const params = z.object({ group: hex32.transform(groupId) });

/** A group's log for devices whose network lets no WebSocket through (docs/spec/frames.md, "Without a WebSocket"). */
export function addEntryRoutes(
  routes: Routes,
  { polls, clock, timeline, withPeer }: EntryRoutesOptions,
): void {
  routes.add(
    {
      method: 'get',
      path,
      who: 'device',
      summary: "A page of a group's log, as frames; waits for something new",
      params,
      query: pollQuery,
      answer: rawBytes,
      refusals: ['unknown-group', 'rate-limited', 'timeline-changed'],
    },
    async ({ caller, params: { group }, query: { after, wait, timeline: named } }) => {
      const { state } = caller;
      if (group !== state.everyone) throw new RelayError('unknown-group', 'no such group');
      if (after !== undefined)
        return encodeFrameList(
          await polls.poll(caller, { group, afterSeq: after, waitMs: wait * 1000, timeline: named }),
        );
      return encodeFrameList([
        { type: 'welcome', relayTimeMs: clock.now(), directorySize: state.size, timeline },
      ]);
    },
  );

  routes.add(
    {
      method: 'post',
      path,
      who: 'device',
      summary: 'Takes an append or an announce, as a frame; the answer is a frame too',
      params,
      body: rawBytes,
      bodyBytes: LIMITS.announceFrameBytes,
      answer: rawBytes,
      refusals: ['unsupported-version', 'wrong-group'],
    },
    async ({ caller, params: { group }, body }) => {
      const frame = frameIn(body);
      if (frame.type !== 'append' && frame.type !== 'announce')
        throw new RelayError('malformed', 'neither append nor announce');
      if (frame.group !== group) throw new RelayError('wrong-group', 'a frame of another group');
      const answers: Uint8Array[] = [];
      await withPeer(caller, outletTo(answers), (peer) => peer.handle(frame));
      return answers[0];
    },
  );
}

/** @throws RelayError `malformed`, `too-large`, `unsupported-version` */
function frameIn(bytes: Uint8Array): ClientFrame {
  try {
    return decodeClientFrame(bytes);
  } catch (cause) {
    if (!(cause instanceof ProtocolError)) throw cause;
    throw new RelayError(cause.code, 'not a frame of this protocol', { cause });
  }
}

/** Nothing waits here to be sent. */
function outletTo(answers: Uint8Array[]): Outlet {
  return {
    send: (frame) => void answers.push(frame),
    isLagging: () => false,
    isBehind: () => false,
    drained: async () => undefined,
  };
}
