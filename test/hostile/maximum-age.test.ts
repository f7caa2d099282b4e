import { decodeUtf8, encodeUtf8 } from '@keytide/crypto-core';
import { assembleNote, parseNote } from '@keytide/key-directory';
import { freezeMembershipLog } from '@keytide/testkit/hostile-relay';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { leapingClock } from '../stories/leaping-clock.ts';
import { sizesIn } from './evidence.ts';
import { now } from './noon-ports.ts';
import { goesOn, openStage, until, type Person, type Stage } from './stage.ts';

const HOUR_MS = 3_600_000;
const MAX_AGE_SECONDS = 3600;
const clock = leapingClock(now());
let stage: Stage;

beforeAll(async () => {
  stage = await openStage(clock);
});

afterEach(() => stage.clear());

afterAll(() => stage.close());

/** Ada and dee are admins, whose words the policy demands; bo is a member. */
async function witnessed(needed: number): Promise<{ ada: Person; bo: Person }> {
  const ports = clock.ports();
  const { ada, bo } = await stage.pair(ports);
  if (needed > 1) await stage.admit(ada, 'dee', { role: 'admin', ports });
  await ada.client.setPolicy((policy) => ({
    ...policy,
    witnesses: { needed, maxAgeSeconds: MAX_AGE_SECONDS },
  }));
  await until(() => bo.client.policy.witnesses !== undefined, 'bo to know of the demand');
  return { ada, bo };
}

// The Update Framework: freeze attack (TUF specification, 1.5.2). Cappos, Samuel, Baker, Hartman, "A Look In the
// Mirror: Attacks on Package Managers" (CCS 2008): everything that is shown is true and signed, and old.
test('a frozen log after the maximum age', async () => {
  const { ada, bo } = await witnessed(1);
  await bo.client.inviteDevice();
  const { directorySize } = bo.client;
  let looks = 0;
  stage.hostile.attack({
    victim: bo.client.device,
    async call(call, forward) {
      const answer = await forward(call);
      if (call.path.endsWith('/log/cosignatures') && answer.status === 200) looks += 1;
      return answer;
    },
  });
  const relent = freezeMembershipLog(stage.hostile, bo.client.device);
  // Before the age is reached everybody looks once more, and that is what the relay goes on to show.
  clock.leap((MAX_AGE_SECONDS - 600) * 1000);
  await until(() => looks > 0, 'bo to look around');
  clock.leap(2 * HOUR_MS);
  await until(() => ada.client.witnesses.isMet, 'ada to cosign again');
  const refused = await bo.client.inviteDevice().catch((error: unknown) => error as { code: string });
  expect(refused).toMatchObject({ code: 'unwitnessed' });
  const { evidence } = refused as unknown as { evidence: Uint8Array[] };
  // The newest note that an admin had cosigned, perhaps not yet with the newest entry.
  const [size = 0, ...more] = sizesIn(stage, evidence, bo);
  expect(more).toEqual([]);
  expect([directorySize - 1, directorySize]).toContain(size);
  expect(bo.client.directorySize).toBe(directorySize);
  // Who is stolen from must not wait, and people talk on under the key they have.
  await goesOn(ada, bo);
  relent();
  await bo.client.inviteDevice();
});

// The Update Framework, CVE-2020-6174, and tough, CVE-2020-15093: a signature that was repeated counted towards the
// threshold as often as it was there.
test('a witness is shown twice to make two', async () => {
  const { ada, bo } = await witnessed(2);
  await bo.client.inviteDevice();
  const own = `keytide-device/v1/${ada.client.device}`;
  let doubled = 0;
  const relent = stage.hostile.attack({
    victim: bo.client.device,
    async call(call, forward) {
      const answer = await forward(call);
      if (call.method !== 'GET' || !call.path.endsWith('/log/cosignatures')) return answer;
      const { notes } = answer.body as { notes: string[] };
      const twice = notes.map((text) => {
        const note = parseNote(encodeUtf8(text) as Uint8Array);
        const left = note.signatures.filter(({ name }) => name === own || name.startsWith('keytide-log/'));
        const again = left.filter(({ name }) => name === own);
        doubled += again.length;
        return decodeUtf8(assembleNote(note.text, [...left, ...again]));
      });
      return { status: 200, body: { notes: [...twice, ...twice] } };
    },
  });
  clock.leap(2 * HOUR_MS);
  await until(() => ada.client.witnesses.isMet, 'both admins to cosign again');
  await expect(bo.client.inviteDevice()).rejects.toMatchObject({ code: 'unwitnessed' });
  expect(doubled).toBeGreaterThan(0);
  expect(bo.client.witnesses).toMatchObject({ needed: 2, isMet: false });
  relent();
  await bo.client.inviteDevice();
});
