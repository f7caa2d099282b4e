/* oxlint-disable oxc/no-async-endpoint-handlers -- that rule is about Express; Fastify awaits its handlers */
import { deviceId, toBase64Url, type DeviceId, type OrgId } from '@keytide/crypto-core';
import { isActive } from '@keytide/key-directory/verify';
import { mailConfirmRequest, mailQuery, mailRequest } from '@keytide/relay-protocol';
import type { FastifyInstance } from 'fastify';
import type { Clock } from './clock.ts';
import type { MemberRates } from './device-rates.ts';
import { RelayError } from './errors.ts';
import type { Gate } from './gate.ts';
import type { RelayLimits } from './limits.ts';
import type { MailStore } from './mail-store.ts';
import { parsed } from './parsed.ts';

/** What the routes of pairwise messages work with. */
export interface MailRoutesOptions {
  readonly store: MailStore;
  readonly gate: Gate;
  readonly clock: Clock;
  readonly rates: MemberRates;
  readonly limits: Pick<RelayLimits, 'mailboxMessages' | 'mailboxOfMember'>;
  /** Tells a device, if it is connected, that there is something for it. */
  readonly hint: (org: OrgId, device: DeviceId) => void;
}

const MAIL = '/v1/organisations/:org/mail';

/** Messages from one device to one other (docs/spec/mail.md). Who sends is the session's word, never the request's. */
export function addMailRoutes(app: FastifyInstance, options: MailRoutesOptions): void {
  const { store, gate, clock, rates, limits } = options;

  app.post(MAIL, async (request, reply) => {
    const { org, state, device } = await gate.device(request);
    const { recipient, id, message } = parsed(mailRequest, request.body);
    const to = deviceId(recipient);
    if (to === device.id || !isActive(state, to))
      throw new RelayError('not-a-recipient', 'not another active device');
    if (!rates.admits(device)) throw new RelayError('rate-limited', 'too many messages at once');
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
    return reply.code(201).send({});
  });

  app.get(MAIL, async (request) => {
    const { org, device } = await gate.device(request);
    const { after } = parsed(mailQuery, request.query);
    const { messages, more } = await store.listMail(org, device.id, after, clock.now());
    return {
      messages: messages.map(({ seq, sender, bytes }) => ({ seq, sender, message: toBase64Url(bytes) })),
      more,
    };
  });

  app.post(`${MAIL}/confirm`, async (request) => {
    const { org, device } = await gate.device(request);
    const { seqs } = parsed(mailConfirmRequest, request.body);
    await store.confirmMail(org, device.id, seqs);
    return {};
  });
}
