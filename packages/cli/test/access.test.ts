import { afterAll, expect, test } from 'vitest';
import { EXIT } from '../src/exit-codes.ts';
import { openPeople } from './people.ts';

const { relay, on, close } = await openPeople();
afterAll(close);

/** A further device of bo, which has not seen what he wrote. */
async function another(name: string): Promise<string> {
  const { said } = await on('bo', ['device', 'invite']);
  const joined = await on(name, ['join', '-'], said.link);
  expect(joined.code).toBe(EXIT.ok);
  return joined.said.device as string;
}

test('a second phone asks, an admin looks and approves, and it reads what was written before it came', async () => {
  await on('ada', ['org', 'create', '--relay', relay.url, '--name', 'ada']);
  const { said: bo } = await on('bo', ['join', '-', '--name', 'bo'], (await on('ada', ['invite'])).said.link);
  await on('bo', ['send', 'from before']);
  const phone = await another('phone');
  const before = (await on('phone', ['status'])).said;
  expect([before.messages, before.unreadable['ask-an-admin']]).toEqual([0, expect.any(Number)]);

  const { said: request } = await on('phone', ['access', 'request']);
  expect(request.asked).toMatchObject({ id: expect.stringMatching(/^[0-9a-f]{64}$/) });
  expect((await on('phone', ['access', 'list'])).said).toMatchObject({ asked: request.asked, inbox: [] });
  const { said: waiting } = await on('ada', ['access', 'list']);
  expect(waiting).toMatchObject({
    asked: null,
    inbox: [
      {
        id: request.asked.id,
        member: bo.member,
        device: phone,
        needs: ['first-request', 'identity-changed'],
      },
    ],
  });
  expect((await on('bo', ['access', 'list'])).said).toEqual({ asked: null, inbox: [] });

  const id = request.asked.id.slice(0, 8);
  expect(await on('ada', ['access', 'approve', id])).toMatchObject({
    code: EXIT.usage,
    failed: { error: { code: 'not-confirmed' } },
  });
  expect(await on('ada', ['access', 'approve', '00000000', '--yes'])).toMatchObject({
    code: EXIT.usage,
    failed: { error: { code: 'unknown-request' } },
  });
  expect(await on('ada', ['access', 'approve', id, '--yes'])).toMatchObject({
    code: EXIT.ok,
    said: { approved: request.asked.id, member: bo.member, device: phone },
  });
  expect((await on('phone', ['access', 'list'])).said).toEqual({ asked: null, inbox: [] });
  const { said: after } = await on('phone', ['status']);
  expect([after.messages, after.unreadable]).toEqual([1, {}]);
  expect((await on('phone', ['access', 'request'])).said).toEqual({ asked: null });
}, 240_000);

test('an admin says no, and why', async () => {
  await another('tablet');
  const { said } = await on('tablet', ['access', 'request']);
  const words = ['access', 'refuse', said.asked.id, 'Show', 'me', 'first.'];
  expect(await on('ada', words)).toMatchObject({ code: EXIT.ok, said: { refused: said.asked.id } });
  expect((await on('ada', ['access', 'list'])).said.inbox).toEqual([]);
  expect((await on('tablet', ['access', 'list'])).said.asked).toBeNull();
  expect((await on('tablet', ['status'])).said.messages).toBe(0);
}, 240_000);
