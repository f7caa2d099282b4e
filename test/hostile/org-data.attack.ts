import {
  createOrganisation,
  defineOrganisation,
  memoryDeviceStore,
  org,
  type Client,
  type RefusedDocument,
} from '@keytide/client';
import { encodeCbor, toBase64Url } from '@keytide/crypto-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { noonPorts } from './noon-ports.ts';
import type { Stage } from './stage.ts';

const PATIENCE = { timeout: 20_000 };

/** What the relay says of org data is believed, and can do no more than that. */
export function lyingAboutOrgData(stage: () => Stage): void {
  describe('a document of the class org', () => {
    const definition = defineOrganisation({
      shifts: org(z.object({ place: z.string() })),
      rota: org(z.object({ place: z.string() })),
    });
    let ada: Client<typeof definition>;
    const reports: RefusedDocument[] = [];

    beforeAll(async () => {
      ada = await createOrganisation({
        definition,
        ports: noonPorts,
        store: memoryDeviceStore(),
        relayUrl: stage().hostile.url,
        handle: 'ada',
      });
      ada.on('refused-document', (document) => reports.push(document));
      await ada.online();
      await ada.collections.shifts.put('mon', { place: 'north bank' });
    });
    afterEach(() => stage().hostile.relent());
    afterAll(() => ada?.close());

    const body = (value: Record<string, string | number>): string => toBase64Url(encodeCbor(value));

    /** Has the relay answer readings of the shifts with this, and makes it look like news. */
    async function tells(answer: unknown, times = Infinity): Promise<void> {
      let left = times;
      stage().hostile.attack({
        victim: ada.device,
        async call(call, forward) {
          if (call.method !== 'GET' || !call.path.includes('/data/members/shifts') || left === 0)
            return await forward(call);
          left -= 1;
          return { status: 200, body: answer };
        },
      });
      for (const link of stage().hostile.linksOf(ada.device)) link.toClient({ type: 'hint', topic: 'data' });
    }

    test('is believed: such data is what the relay says, and the documentation says so', async () => {
      const document = { id: 'mon', version: 2, body: body({ place: 'into the river' }) };
      await tells({ documents: [document], next: 100, more: false });
      const place = async () => (await ada.collections.shifts.get('mon'))?.body.place;
      await expect.poll(place, PATIENCE).toBe('into the river');
    });

    test('cannot make an application read what does not fit, or take a version back', async () => {
      const odd = ['x', 'constructor', '__proto__'].map((id) => ({
        id,
        version: 1,
        body: body({ place: 7 }),
      }));
      const noCbor = { id: 'y', version: 1, body: toBase64Url(Uint8Array.of(0xff)) };
      const old = { id: 'mon', version: 1, body: body({ place: 'yesterday' }) };
      const documents = [odd[0], odd[1], noCbor, old];
      await tells({ documents, next: 200, more: false });
      await expect.poll(() => reports.map(({ id }) => id), PATIENCE).toEqual(['x', 'constructor', 'y']);
      expect(ada.collections.shifts.refused).toEqual(reports);
      expect((await ada.collections.shifts.list()).map(({ body: { place } }) => place)).toEqual([
        'into the river',
      ]);
      await tells({ documents: [odd[2]], next: 300, more: false });
      expect((await ada.collections.shifts.list()).length).toBe(1);
    });

    test('cannot keep a device reading for ever', async () => {
      await tells({ documents: [], next: 1000, more: true });
      await ada.collections.shifts.pull().then(
        () => expect.unreachable(),
        (error: unknown) => expect(error).toMatchObject({ code: 'relay-misbehaved' }),
      );
      stage().hostile.relent();
      await tells({ documents: [], next: 3, more: false });
      await expect(ada.collections.shifts.pull()).rejects.toMatchObject({ code: 'relay-misbehaved' });
    });
  });
}
