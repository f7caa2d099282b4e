import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, wordsOf } from './ask.ts';
import { nowhere, openGround, type Ground, type Visitor } from './ground.ts';
import { pathOf, takesSession, type Caller, type Operation } from './operations.ts';

let ground: Ground;
let guarded: readonly Operation[];
beforeAll(async () => {
  ground = await openGround();
  guarded = ground.operations.filter(takesSession);
});
afterAll(() => ground.relay.close());

const over = expect.objectContaining({ status: 401, code: 'session-ended' });

describe('API1: Broken object level authorization', () => {
  test('a session opens its own organisation on no route but under its own name', async () => {
    const { relay, world, other, visitors } = ground;
    for (const operation of guarded) {
      for (const org of [other.org, nowhere(world)]) {
        const { method } = operation;
        const told = await ask(relay.url, { method, path: pathOf(operation, org), token: visitors.admin });
        expect(told, operation.name).toEqual(over);
      }
    }
  });
});

describe('API2: Broken authentication', () => {
  test('no route takes nothing, garbage, or a session of another organisation, or one that is over or was stolen, for a session', async () => {
    const { relay, world, pretenders } = ground;
    expect(guarded.length).toBeGreaterThan(35);
    expect(pretenders.size).toBe(10);
    for (const operation of guarded) {
      const path = pathOf(operation, world.org);
      for (const [pretence, token] of pretenders) {
        const told = await ask(relay.url, { method: operation.method, path, token });
        expect(told, `${operation.name} with ${pretence}`).toEqual(over);
      }
    }
  });

  test('whatever is wrong with a session, every route says the same, byte for byte', async () => {
    const { relay, world, pretenders } = ground;
    for (const operation of guarded) {
      const words = new Map<string, string>();
      for (const [pretence, token] of pretenders) {
        // Who shows nothing is told to log in first, which they know.
        if (pretence === 'nothing' || pretence === 'another organisation') continue;
        const { method } = operation;
        const told = await ask(relay.url, { method, path: pathOf(operation, world.org), token });
        words.set(JSON.stringify(wordsOf(told)), pretence);
      }
      expect([...words.values()], operation.name).toHaveLength(1);
    }
  });

  test('a token counts in one place and one form only', async () => {
    const { relay, world, visitors } = ground;
    const token = visitors.admin;
    const path = `/v1/organisations/${world.org}/mail?after=0`;
    expect(await ask(relay.url, { method: 'GET', path, token })).toMatchObject({ status: 200 });
    const forms = ['', token, `Basic ${token}`, `bearer ${token}`, `Bearer  ${token}`, `Bearer ${token} x`];
    const headers = [
      ...forms.map((authorization) => ({ authorization })),
      ...[`${token}=`, token.slice(0, -1), `${token.slice(0, -1)}_`].map((altered) => ({
        authorization: `Bearer ${altered}`,
      })),
      { cookie: `token=${token}` },
      { 'x-authorization': `Bearer ${token}` },
      { 'proxy-authorization': `Bearer ${token}` },
    ];
    for (const each of headers)
      expect(await ask(relay.url, { method: 'GET', path, headers: each }), JSON.stringify(each)).toEqual(
        over,
      );
    const query = { method: 'GET', path: `${path}&access_token=${token}` };
    expect(await ask(relay.url, query)).toEqual(over);
  });
});

/** Who is let in where. */
const RIGHTS: Readonly<Record<Visitor, readonly Caller[]>> = {
  admin: ['session', 'subject', 'device', 'admin', 'exporter'],
  member: ['session', 'subject', 'device'],
  wiped: ['session', 'subject', 'wiped'],
  invite: ['session', 'subject'],
  recovery: ['session', 'subject'],
};

describe('API5: Broken function level authorization', () => {
  test('every route lets in whom its description names, and refuses everybody else: members, invites, recovery keys, wiped devices', async () => {
    const { relay, world, visitors } = ground;
    for (const [visitor, token] of Object.entries(visitors) as [Visitor, string][]) {
      for (const operation of guarded) {
        const { method, name, caller, body } = operation;
        // A log-out would end what the next route is asked with; without a body it ends nothing.
        const told = await ask(relay.url, {
          method,
          path: pathOf(operation, world.org),
          token,
          ...(body === null ? {} : { body: '{}' }),
        });
        if (RIGHTS[visitor].includes(caller))
          expect([401, 403], `${visitor}: ${name}`).not.toContain(told.status);
        else expect(told, `${visitor}: ${name}`).toMatchObject({ status: 403, code: 'not-a-member' });
      }
    }
  });

  test('what only admins may do is this', () => {
    const admins = guarded.filter(({ caller }) => caller === 'admin').map(({ name }) => name);
    const org = '/v1/organisations/{org}';
    expect(admins.toSorted()).toEqual([
      `GET ${org}/access/requests`,
      `GET ${org}/unlock-share/attempts`,
      `GET ${org}/wipe-receipts`,
      `POST ${org}/access/requests/{id}/answers`,
      `POST ${org}/log/cosignatures`,
      `PUT ${org}/data/admins/{collection}/{id}`,
    ]);
  });

  test('what strangers may do is this', () => {
    const strangers = ground.operations.filter((each) => !takesSession(each)).map(({ name }) => name);
    const org = '/v1/organisations/{org}';
    expect(strangers.toSorted()).toEqual([
      'GET /v1/enrolment',
      'GET /v1/health',
      'GET /v1/openapi.json',
      'POST /v1/organisations',
      `POST ${org}/challenges`,
      `POST ${org}/sessions`,
      `POST ${org}/sessions/refresh`,
      `POST ${org}/unlock-share/fetch`,
    ]);
  });
});
