import { z } from 'zod';
import { later, outcomeOf } from './outcome.ts';
import type { PushHttp } from './push-http.ts';
import type { Push, PushOutcome, PushSender } from './sender.ts';

/** Expo's push service. */
export interface ExpoOptions {
  /** Of the Expo account, where that asks for one. */
  readonly accessToken?: string;
  /** Default: `https://exp.host`. */
  readonly origin?: string;
}

const refusal = z.object({
  status: z.literal('error'),
  details: z.object({ error: z.string().optional() }).optional(),
});
const sent = z.object({
  data: z.union([z.object({ status: z.literal('ok'), id: z.string().max(200) }), refusal]),
});
const receipts = z.object({
  data: z.record(z.string(), z.union([z.object({ status: z.literal('ok') }), refusal])),
});

/**
 * Expo's push API: a message with neither title nor body nor data. Most dead tokens are only named in the receipt of
 * an earlier message, so the last one's is read before the next is sent.
 * @throws TypeError for an origin that push may not go to
 */
export function expoSender(http: PushHttp, options: ExpoOptions): PushSender {
  const api = `${options.origin ?? 'https://exp.host'}/--/api/v2/push`;
  if (!http.allows(api)) throw new TypeError("Expo's origin is not https: it needs to be allowed");
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json',
    ...(options.accessToken === undefined ? {} : { authorization: `Bearer ${options.accessToken}` }),
  };
  const post = (path: string, body: unknown, signal: AbortSignal) =>
    http.post(`${api}/${path}`, { headers, body: JSON.stringify(body), signal });

  async function isGone({ ticket, signal }: Push): Promise<boolean> {
    if (ticket === null) return false;
    const answer = await post('getReceipts', { ids: [ticket] }, signal);
    if (typeof answer === 'string' || answer.status !== 200) return false;
    const receipt = receipts.safeParse(jsonIn(answer.body)).data?.data[ticket];
    return receipt?.status === 'error' && receipt.details?.error === 'DeviceNotRegistered';
  }

  return {
    kind: 'expo',
    accepts: (token) => /^Expo(nent)?PushToken\[[A-Za-z0-9_-]{1,128}\]$/.test(token),
    async send(push): Promise<PushOutcome> {
      if (await isGone(push)) return { kind: 'gone' };
      const message = { to: push.target, priority: 'high', _contentAvailable: true };
      const answer = await post('send', message, push.signal);
      if (typeof answer === 'string') return later(answer);
      const outcome = outcomeOf(answer, []);
      if (outcome !== null) return outcome;
      const ticket = sent.safeParse(jsonIn(answer.body)).data?.data;
      if (ticket === undefined) return later('push-refused');
      if (ticket.status === 'ok') return { kind: 'told', ticket: ticket.id };
      const error = ticket.details?.error;
      if (error === 'DeviceNotRegistered') return { kind: 'gone' };
      return later(error === 'MessageRateExceeded' ? 'push-busy' : 'push-refused');
    },
  };
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
