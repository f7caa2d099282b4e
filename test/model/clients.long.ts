import { afterAll, beforeAll, expect, test } from 'vitest';
import { openOffice, type Office } from './clients/office.ts';
import { walkWithClients } from './clients/walk.ts';

let office: Office;
beforeAll(async () => {
  office = await openOffice();
}, 60_000);
afterAll(() => office.close());

test('real clients and a real relay: exactly those read an epoch who should, in many walks', async () => {
  const { epochs, messages } = await walkWithClients(office, { runs: 12, commands: 30 });
  expect(epochs).toBeGreaterThan(12);
  expect(messages).toBeGreaterThan(12);
});
