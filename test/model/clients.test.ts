import { afterAll, beforeAll, expect, test } from 'vitest';
import { openOffice, type Office } from './clients/office.ts';
import { walkWithClients } from './clients/walk.ts';

let office: Office;
beforeAll(async () => {
  office = await openOffice();
});
afterAll(() => office.close());

test('real clients and a real relay: exactly those read an epoch who should', async () => {
  const { epochs, messages } = await walkWithClients(office, { runs: 2, commands: 12 });
  expect(epochs).toBeGreaterThan(1);
  expect(messages).toBeGreaterThan(1);
});
