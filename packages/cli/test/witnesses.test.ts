import { afterAll, expect, test } from 'vitest';
import { EXIT } from '../src/exit-codes.ts';
import { openPeople } from './people.ts';

const { relay, on, close } = await openPeople();
afterAll(close);

test('status says who has cosigned, not what this device knew; and an admin who is gone stops nobody', async () => {
  await on('ada', ['org', 'create', '--relay', relay.url, '--name', 'ada']);
  for (const [name, role] of [
    ['bob', 'admin'],
    ['mia', 'member'],
  ] as const) {
    const { link } = (await on('ada', ['invite', '--role', role])).said;
    await on(name, ['join', '-', '--name', name], link);
  }
  await on('ada', ['policy', 'set', 'witnesses', '2/24h']);
  expect(await on('ada', ['policy', 'set', 'block', '12h'])).toMatchObject({
    code: EXIT.refused,
    failed: { error: { code: 'unwitnessed' } },
  });
  // This device has known of no cosignature before.
  expect((await on('bob', ['status'])).said.witnesses).toEqual({ cosigned: 2, needed: 2 });
  expect((await on('mia', ['status'])).said.witnesses).toEqual({ cosigned: 2, needed: 2 });

  await on('ada', ['role', 'mia', 'admin']);
  await on('ada', ['policy', 'set', 'witnesses', '3/24h']);
  expect((await on('ada', ['status'])).said.witnesses).toMatchObject({ needed: 3 });
  expect((await on('ada', ['invite'])).failed.error.code).toBe('unwitnessed');
  expect((await on('ada', ['remove', 'bob', '--yes'])).code).toBe(EXIT.ok);
  await on('mia', ['status']);
  expect((await on('ada', ['invite'])).code).toBe(EXIT.ok);
}, 240_000);
