import { toBase64Url } from '@keytide/crypto-core';
import {
  accessAnswersResponse,
  accessRequestResponse,
  accessRequestsResponse,
  doneResponse,
} from '@keytide/relay-protocol';
import { ClientError } from './errors.ts';
import type { RelayApi } from './relay-api.ts';

/** The relay's routes for access requests (docs/spec/access.md). What they answer is not verified. */
export interface AccessApi {
  /** Hands in this device's request, in place of its earlier one; the same bytes again are harmless. */
  ask(wire: Uint8Array): Promise<void>;
  /** The answers to this device's request; `null` when the relay has no such request. */
  answers(id: string): Promise<readonly Uint8Array[] | null>;
  /** Lets the relay forget this device's request. */
  forget(id: string): Promise<void>;
  /** Everybody's requests, for admins. */
  requests(): Promise<readonly Uint8Array[]>;
  /** Hands in an admin's answer. False when the relay has no such request any more. */
  answer(id: string, wire: Uint8Array): Promise<boolean>;
}

const ROUTE = '/access/requests';
/** More than an organisation has devices: a relay that goes on for ever is not listened to. */
const MAX_PAGES = 256;

/** The routes as one login uses them. Each throws ClientError `offline`, `relay-refused`, `relay-misbehaved`. */
export function accessApi(api: Pick<RelayApi, 'call'>): AccessApi {
  return {
    async ask(wire) {
      await api.call('POST', ROUTE, accessRequestResponse, { request: toBase64Url(wire) });
    },
    async answers(id) {
      const found = await orNull(api.call('GET', `${ROUTE}/${id}/answers`, accessAnswersResponse));
      return found?.answers ?? null;
    },
    async forget(id) {
      await api.call('DELETE', `${ROUTE}/${id}`, doneResponse);
    },
    async requests() {
      const wires: Uint8Array[] = [];
      for (let [page, after] = [0, '']; page < MAX_PAGES; page += 1) {
        const { requests, next } = await api.call('GET', `${ROUTE}${after}`, accessRequestsResponse);
        wires.push(...requests);
        if (next === null) return wires;
        after = `?after=${next}`;
      }
      return wires;
    },
    async answer(id, wire) {
      const body = { answer: toBase64Url(wire) };
      return (await orNull(api.call('POST', `${ROUTE}/${id}/answers`, doneResponse, body))) !== null;
    },
  };
}

async function orNull<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof ClientError && error.relayCode === 'unknown-request') return null;
    throw error;
  }
}
