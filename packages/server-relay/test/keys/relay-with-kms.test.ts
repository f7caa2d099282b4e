import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeCbor, toBase64Url } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  awsKmsKeyWrapper,
  keyRing,
  openDataKeyFile,
  openStore,
  rewrapKeys,
  startRelay,
  type KeyWrapper,
  type Relay,
} from '@keytide/server-relay';
import { folderDatabase, seededWorld, startTestAws, type TestAws } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, settle, tokenOf } from '../relay-under-test.ts';
import { accessTo } from './services.ts';

const world = seededWorld({ seed: 'relay with kms', members: 1 });
const device = world.members[0].devices[0];
let aws: TestAws;
let folder: string;
beforeAll(async () => {
  aws = await startTestAws({ now: () => Date.now() });
  folder = await mkdtemp(join(tmpdir(), 'keytide-kms-'));
});
afterAll(async () => {
  await aws.close();
  await rm(folder, { recursive: true, force: true });
});

const kms = (): KeyWrapper => awsKmsKeyWrapper({ keyArn: aws.keyArn, ...accessTo(aws) });
const start = (wrapper?: KeyWrapper): Promise<Relay> =>
  startRelay({
    database: folderDatabase(folder),
    port: 0,
    clock: world.clock,
    log: () => {},
    ...(wrapper === undefined ? {} : { keyWrapper: wrapper }),
  });
const path = `/organisations/${world.org}/data/members/shifts`;
const body = { body: toBase64Url(encodeCbor({ place: 'north bank' })) };

test('a relay goes from its key file to KMS, and does not start without a key that is needed', async () => {
  const first = await start();
  await settle(first, world);
  let token = await tokenOf(first, world.org, device);
  expect((await call(first, 'PUT', `${path}/a`, { token, body })).status).toBe(200);
  await first.close();
  await expect(start(kms())).rejects.toMatchObject({ code: 'data-key-missing' });

  const both = keyRing(kms(), await openDataKeyFile(join(folder, 'data-key')));
  const { store } = await openStore(folderDatabase(folder), primitives, 0);
  expect(await rewrapKeys({ store, wrapper: both })).toEqual({ moved: 1, left: 0, damaged: [] });
  await store.close();
  await rm(join(folder, 'data-key'));
  aws.refuse('AccessDeniedException');
  await expect(start(kms())).rejects.toMatchObject({ code: 'key-service-refused' });
  aws.refuse(null);

  const relay = await start(kms());
  token = await tokenOf(relay, world.org, device);
  aws.fail('broken', 'broken', 'broken');
  const refused = await call(relay, 'GET', `${path}?after=0`, { token });
  expect([refused.status, refused.body.code, refused.body.reason]).toEqual([503, 'unavailable', undefined]);
  const { body: page } = await call(relay, 'GET', `${path}?after=0`, { token });
  expect(page).toMatchObject({ documents: [{ id: 'a', version: 1 }] });
  const asked = aws.calls.length;
  expect((await call(relay, 'PUT', `${path}/b`, { token, body })).status).toBe(200);
  expect(aws.calls.length).toBe(asked);
  await relay.close();
  expect(await readdir(folder)).not.toContain('data-key');
}, 60_000);
