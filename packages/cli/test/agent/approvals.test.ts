import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { keepArchiving } from '../../src/commands/agent.ts';
import { approveExport } from '../../src/commands/approve-export.ts';
import { setPolicy } from '../../src/commands/policy.ts';
import { approve, submit } from '../../src/commands/proposals.ts';
import { changeRole } from '../../src/commands/role.ts';
import type { Work } from '../../src/context.ts';
import { EXIT } from '../../src/exit-codes.ts';
import { here } from '../here.ts';
import { openPeople } from '../people.ts';

const { relay, on, folder, close } = await openPeople();
afterAll(close);

const at = (...names: string[]): string => join(folder, ...names);
const as = (name: string, work: Work) => here(work, null, at(name));
const round = () => as('ada', (context) => keepArchiving(context, { config: at('agent.json'), once: true }));
const names = async (): Promise<string[]> => (await readdir(at('one'))).toSorted();
const archived = async (): Promise<string> => (await names())[0] as string;

/** Ada's agent makes archives; two admins are asked for; Bob and Cyd are admins as well. */
beforeAll(async () => {
  const config = {
    destinations: [at('one')],
    every: '365d',
    healthPort: null,
    set: at('key/archive-key.set'),
  };
  await writeFile(at('agent.json'), JSON.stringify(config));
  await mkdir(at('one'));
  await on('ada', ['org', 'create', '--relay', relay.url, '--name', 'ada']);
  const holders = ['--name', 'Ana', '--name', 'Bram', '--needed', '2'];
  expect((await on('ada', ['archive-key', 'make', ...holders, '--out', at('key')])).code).toBe(EXIT.ok);
  for (const name of ['bob', 'cyd']) {
    const { link } = (await on('ada', ['invite', '--role', 'admin'])).said;
    expect((await on(name, ['join', '-', '--name', name], link)).code).toBe(EXIT.ok);
  }
  await on('ada', ['send', 'the bridge is closed']);
  expect(await as('ada', (context) => setPolicy(context, 'approvals.export', '2', {}))).toMatchObject([
    EXIT.ok,
    {},
  ]);
}, 120_000);

test('what lacks approvals is not told; health says how many sign what, and how', async () => {
  const [code, health] = await round();
  expect([code, health]).toMatchObject([
    EXIT.refused,
    {
      ...{ status: 'failing', code: 'approval-needed', pending: 1, unsound: null },
      next: expect.stringContaining('keytide approve-export') as unknown,
      approvals: { archive: await archived(), given: 1, needed: 2 },
    },
  ]);
  const set = await readFile(at('one', await archived(), 'data/archive-key-set'));
  expect(set.equals(await readFile(at('key/archive-key.set')))).toBe(true);
});

test('who was removed since does not count; when enough who are admins still have signed, the next round tells', async () => {
  const approving: Work = async (context) =>
    approveExport(context, at('one', await archived()), { yes: true });
  expect(await as('bob', approving)).toMatchObject([EXIT.ok, {}]);
  const demoting: readonly [string, Work][] = [
    ['ada', (context) => changeRole(context, 'bob', 'member', { propose: at('demote') })],
    ['cyd', (context) => approve(context, at('demote'), { out: at('cyd.approval'), yes: true })],
    ['ada', (context) => submit(context, at('demote'), [at('cyd.approval')])],
  ];
  for (const [name, work] of demoting) expect(await as(name, work)).toMatchObject([EXIT.ok, {}]);
  expect(await round()).toMatchObject([
    EXIT.refused,
    { code: 'approval-needed', approvals: { archive: await archived(), given: null } },
  ]);
  // Of the new role comes a new epoch, sooner or later: then there is one more archive to sign.
  const signed = new Set<string>();
  let outcome: unknown = null;
  for (let rounds = 0; rounds < 4 && (await names()).length > signed.size; rounds += 1) {
    for (const name of (await names()).filter((one) => !signed.has(one))) {
      const work: Work = (context) => approveExport(context, at('one', name), { yes: true });
      expect(await as('cyd', work)).toMatchObject([EXIT.ok, {}]);
      signed.add(name);
    }
    outcome = await round();
  }
  expect(outcome).toMatchObject([EXIT.ok, { status: 'ok', code: null, next: null, approvals: null }]);
  expect(JSON.parse(await readFile(at('ada/agent.json'), 'utf8'))).toMatchObject({
    series: { told: (await names()).at(-1) },
  });
});
