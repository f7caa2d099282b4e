import { deviceId, toBase64Url, type DeviceId, type OrgId } from '@keytide/crypto-core';
import { isActive } from '@keytide/key-directory/verify';
import {
  mailConfirmRequest,
  mailConfirmResponse,
  mailPageResponse,
  mailQuery,
  mailRequest,
  mailResponse,
} from '@keytide/relay-protocol';
import type { Clock } from './clock.ts';
import type { Routes } from './create-routes.ts';
import type { MemberRates } from './device-rates.ts';
import { RelayError } from './errors.ts';
import type { RelayLimits } from './limits.ts';
import type { MailStore } from './mail-store.ts';

/** What the routes of pairwise messages work with. */
export interface MailRoutesOptions {
  readonly store: MailStore;
  readonly clock: Clock;
  readonly rates: MemberRates;
  readonly limits: Pick<RelayLimits, 'mailboxMessages' | 'mailboxOfMember'>;
  /** Tells a device, if it is connected, that there is something for it. */
  readonly hint: (org: OrgId, device: DeviceId) => void;
}

const MAIL = '/v1/organisations/:org/mail';

/** Messages from one device to one other (docs/spec/mail.md). Who sends is the session's word, never the request's. */
export function addMailRoutes(routes: Routes, options: MailRoutesOptions): void {
  const { store, clock, rates, limits } = options;

  routes.add(
    {
      method: 'post',
      path: MAIL,
      who: 'device',
      summary: 'Hands in a message for one other device',
      body: mailRequest,
      answer: mailResponse,
      status: 201,
      refusals: ['not-a-recipient', 'rate-limited', 'quota-exceeded', 'message-id-reused'],
    },
    async ({ caller: { org, state, device }, body: { recipient, id, message } }) => {
      const to = deviceId(recipient);
      if (to === device.id || !isActive(state, to))
        throw new RelayError('not-a-recipient', 'not another active device');
      if (!rates.admits({ org, device })) throw new RelayError('rate-limited', 'too many messages at once');
      const verdict = await store.putMail({
        org,
        recipient: to,
        sender: device.id,
        member: device.member,
        messageId: id,
        bytes: message,
        expiresMs: clock.now() + state.policy.retentionSeconds * 1000,
        most: limits.mailboxMessages,
        mostOfMember: limits.mailboxOfMember,
      });
      if (verdict === 'mailbox-full' || verdict === 'share-full')
        throw new RelayError('quota-exceeded', 'the mailbox is full', { reason: verdict });
      if (verdict === 'message-id-reused')
        throw new RelayError('message-id-reused', 'another message has this id');
      options.hint(org, to);
      return {};
    },
  );

  routes.add(
    {
      method: 'get',
      path: MAIL,
      who: 'device',
      summary: 'Messages to the calling device',
      query: mailQuery,
      answer: mailPageResponse,
    },
    async ({ caller: { org, device }, query: { after } }) => {
      const { messages, more } = await store.listMail(org, device.id, after, clock.now());
      return {
        messages: messages.map(({ seq, sender, bytes }) => ({ seq, sender, message: toBase64Url(bytes) })),
        more,
      };
    },
  );

  routes.add(
    {
      method: 'post',
      path: `${MAIL}/confirm`,
      who: 'device',
      summary: 'Says which messages are durable at the calling device, so that they are forgotten',
      body: mailConfirmRequest,
      answer: mailConfirmResponse,
    },
    async ({ caller: { org, device }, body: { seqs } }) => {
      await store.confirmMail(org, device.id, seqs);
      return {};
    },
  );
}
