import { Secret, toHex } from '@keytide/crypto-core';
import { nodePrimitives } from '@keytide/crypto-core/node';
import type { Clock } from '../clock.ts';
import { outcomeOf } from './outcome.ts';
import type { PushHttp } from './push-http.ts';
import type { PushSender } from './sender.ts';

/** A service of the operator's own that brings words to devices. */
export interface WebhookOptions {
  readonly url: string;
  /** What both sides know: 32 bytes or more. */
  readonly secret: Uint8Array;
}

/**
 * Posts `{ id, token }`, signed: HMAC-SHA-256 over the time, a full stop and the body. Only 410 forgets a device: a
 * 404 is more often a proxy without its service than a word about one device.
 * @throws TypeError for a secret below 32 bytes, or a URL that push may not go to
 */
export function webhookSender(http: PushHttp, clock: Clock, { url, secret }: WebhookOptions): PushSender {
  if (secret.length < 32) throw new TypeError('the secret of a webhook has 32 bytes at least');
  if (!http.allows(url)) throw new TypeError('a webhook that is not https needs its origin to be allowed');
  const key = Secret.own(secret.slice());
  return {
    kind: 'webhook',
    accepts: (token) => /^[\x21-\x7e]{1,512}$/.test(token),
    async send({ target, id, signal }) {
      const body = JSON.stringify({ id, token: target });
      const time = String(Math.floor(clock.now() / 1000));
      const signed = Buffer.from(`${time}.${body}`);
      const signature = key.use((bytes) => toHex(nodePrimitives.hmacSha256(bytes, signed)));
      const headers = {
        'content-type': 'application/json',
        'keytide-time': time,
        'keytide-signature': `v1=${signature}`,
      };
      return (
        outcomeOf(await http.post(url, { headers, body, signal }), [410]) ?? { kind: 'told', ticket: null }
      );
    },
  };
}
