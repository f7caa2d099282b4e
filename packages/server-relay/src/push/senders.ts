import type { PushKind } from '@keytide/relay-protocol';
import type { Clock } from '../clock.ts';
import { expoSender, type ExpoOptions } from './expo.ts';
import { createPushHttp } from './push-http.ts';
import type { PushSender } from './sender.ts';
import { createVapid, type VapidOptions } from './vapid.ts';
import { webPushSender } from './web-push.ts';
import { webhookSender, type WebhookOptions } from './webhook.ts';

/** How a relay tells devices that are not connected; what is left out it does not do. */
export interface PushOptions {
  readonly webPush?: Pick<VapidOptions, 'key' | 'subject'>;
  readonly expo?: ExpoOptions;
  readonly webhook?: WebhookOptions;
  /** Origins that push may go to although they are not https, or not at a public address, such as `http://127.0.0.1:9000`. */
  readonly allow?: readonly string[];
}

/** The senders of a relay. */
export interface PushSenders {
  readonly byKind: ReadonlyMap<PushKind, PushSender>;
  /** What browsers subscribe with, 65 bytes; `null` without Web Push. */
  readonly vapidKey: Uint8Array | null;
  close(): void;
}

/** Senders whose place others can take. */
export interface ReplaceableSenders extends PushSenders {
  /** What those of before are sending, they finish. @throws TypeError for senders of other kinds */
  replace(fresh: PushSenders): void;
}

/** Begins with `now`; those that are replaced are closed after `graceMs`. */
export function replaceableSenders(now: PushSenders, graceMs: number): ReplaceableSenders {
  const kindsOf = ({ byKind }: PushSenders): string => [...byKind.keys()].toSorted().join();
  return {
    get byKind() {
      return now.byKind;
    },
    get vapidKey() {
      return now.vapidKey;
    },
    close: () => now.close(),
    replace(fresh) {
      if (kindsOf(fresh) !== kindsOf(now)) throw new TypeError('another way to push takes a start');
      const before = now;
      now = fresh;
      setTimeout(() => before.close(), graceMs).unref();
    },
  };
}

/** @throws TypeError for a key, subject, secret or URL that cannot be used */
export function createPushSenders(options: PushOptions, clock: Clock, timeoutMs: number): PushSenders {
  const { webPush, expo, webhook, allow = [] } = options;
  const http = createPushHttp({ allow, timeoutMs, clock });
  const vapid = webPush && createVapid({ ...webPush, clock });
  const senders = [
    ...(vapid === undefined ? [] : [webPushSender(http, vapid)]),
    ...(expo === undefined ? [] : [expoSender(http, expo)]),
    ...(webhook === undefined ? [] : [webhookSender(http, clock, webhook)]),
  ];
  return {
    byKind: new Map(senders.map((sender) => [sender.kind, sender])),
    vapidKey: vapid?.publicKey ?? null,
    close: () => http.close(),
  };
}
