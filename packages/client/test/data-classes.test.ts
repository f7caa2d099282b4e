import { expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import {
  attachment,
  defineOrganisation,
  org,
  sensitive,
  system,
  type Client,
  type LogCollection,
  type OrgCollection,
  type OrgDocument,
  type RecordCollection,
  type SystemCollection,
} from '../src/index.ts';

const shift = z.object({ place: z.string(), from: z.number() });
const request = z.object({ need: z.string() });
type Shift = z.infer<typeof shift>;
type Request = z.infer<typeof request>;

const definition = defineOrganisation({
  chat: sensitive.log(z.object({ text: z.string() })),
  requests: sensitive.record(request),
  shifts: org(shift),
  settings: org(z.object({ title: z.string() }), { writers: 'admins' }),
  pushToken: system(z.object({ token: z.string() })),
});
type Opened = Client<typeof definition>['collections'];

test('the class that was declared decides which calls there are', () => {
  expectTypeOf<Opened['chat']>().toEqualTypeOf<LogCollection<{ text: string }>>();
  expectTypeOf<Opened['requests']>().toEqualTypeOf<RecordCollection<Request>>();
  expectTypeOf<Opened['shifts']>().toEqualTypeOf<OrgCollection<Shift>>();
  expectTypeOf<Opened['pushToken']>().toEqualTypeOf<SystemCollection<{ token: string }>>();

  // A sensitive collection has no call of those that let the relay read.
  expectTypeOf<keyof Opened['chat'] & ('put' | 'get' | 'list' | 'remove' | 'clear')>().toBeNever();
  expectTypeOf<keyof Opened['requests'] & ('put' | 'clear')>().toBeNever();
  // Of a system collection nothing comes back: two calls, and each answers nothing.
  expectTypeOf<keyof Opened['pushToken']>().toEqualTypeOf<'put' | 'clear' | 'end'>();
  expectTypeOf<Awaited<ReturnType<Opened['pushToken']['put']>>>().toBeVoid();
  expectTypeOf<Awaited<ReturnType<Opened['pushToken']['clear']>>>().toBeVoid();
  expect(Object.values(definition).map((declaration) => declaration.class)).toEqual([
    'sensitive',
    'sensitive',
    'org',
    'org',
    'system',
  ]);
});

/** Compiled and never run: each line that is marked must not compile. */
export async function mustNotCompile(collections: Opened): Promise<void> {
  // @ts-expect-error -- sensitive content has no way to the relay in the clear
  await collections.chat.put('a', { text: 'in the clear' });
  // @ts-expect-error
  await collections.requests.put('a', { need: 'in the clear' });
  // @ts-expect-error -- a system value cannot be read back
  await collections.pushToken.get();
  // @ts-expect-error
  await collections.pushToken.read();
  // @ts-expect-error
  await collections.pushToken.list();
  // @ts-expect-error
  collections.pushToken.follow();
  // @ts-expect-error -- what the relay reads is not appended to an encrypted log
  await collections.shifts.append({ place: 'north bank', from: 8 });
  // @ts-expect-error
  await collections.shifts.create({ place: 'north bank', from: 8 });

  // One class in the place of another.
  // @ts-expect-error
  const asOrg: OrgCollection<Request> = collections.requests;
  // @ts-expect-error
  const asSystem: SystemCollection<Request> = collections.requests;
  // @ts-expect-error -- nor one that can be read where one is wanted that cannot
  const tokens: SystemCollection<Shift> = collections.shifts;
  // @ts-expect-error
  const asSensitive: RecordCollection<Shift> = collections.shifts;
  // @ts-expect-error
  const asLog: LogCollection<{ token: string }> = collections.pushToken;
  void [asOrg, asSystem, asSensitive, asLog, tokens];

  // What a sensitive collection gives is not what another class takes.
  const [message] = collections.chat.read();
  const record = collections.requests.get('00'.repeat(16));
  if (message === undefined || record === null) return;
  // @ts-expect-error
  await collections.shifts.put('a', message);
  // @ts-expect-error
  await collections.settings.put('a', record);
  // @ts-expect-error
  await collections.shifts.put('a', record.body);
  // @ts-expect-error
  await collections.pushToken.put(message.body);

  // @ts-expect-error -- a document is not a declaration, nor the other way round
  defineOrganisation({ shifts: shift });
  // @ts-expect-error -- a class that there is not
  sensitive.org(shift);
  // An attachment holds a key: it may be in a sensitive collection, however deep, and in no other.
  const filed = z.object({ need: z.string(), photos: z.array(z.object({ of: attachment().optional() })) });
  sensitive.record(filed);
  sensitive.log(filed);
  // @ts-expect-error
  org(filed);
  // @ts-expect-error
  system(filed);
  // @ts-expect-error
  org(z.object({ photo: attachment() }));
  // @ts-expect-error -- writers that there are not
  org(shift, { writers: 'everyone' });
  expectTypeOf(await collections.shifts.get('a')).toEqualTypeOf<OrgDocument<Shift> | null>();
}
