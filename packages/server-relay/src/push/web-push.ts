import { outcomeOf } from './outcome.ts';
import type { PushHttp } from './push-http.ts';
import type { PushSender } from './sender.ts';
import type { Vapid } from './vapid.ts';

/** After four weeks there is nothing left to look for that the next word would not say. */
const TTL_SECONDS = 2_419_200;

/**
 * Web Push (RFC 8030) without a payload, so that RFC 8291 has nothing to encrypt and a push service nothing to read.
 * One topic for all: at the service too, at most one word waits for a device.
 */
export function webPushSender(http: PushHttp, vapid: Vapid): PushSender {
  return {
    kind: 'web-push',
    accepts: (endpoint) => http.allows(endpoint),
    async send({ target, signal }) {
      const headers = {
        ttl: String(TTL_SECONDS),
        urgency: 'high',
        topic: 'keytide',
        authorization: vapid.authorization(URL.parse(target)?.origin ?? ''),
      };
      const answer = await http.post(target, { headers, body: null, signal });
      return outcomeOf(answer, [404, 410]) ?? { kind: 'told', ticket: null };
    },
  };
}
