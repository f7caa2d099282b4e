import { groupId, orgId, toBase64Url } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { readRetentionLedger } from '@keytide/client/export';
import {
  createExportStatement,
  everyoneGroup,
  signDeletionStatement,
  type DeletionStatement,
} from '@keytide/key-directory';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { now } from './noon-ports.ts';
import { signerIn } from './seeds.ts';
import { goesOn, type Person, type Stage } from './stage.ts';

/** What the relay says that somebody has signed is checked; what it says by itself counts for nothing. */
export function lyingAboutRetention(stage: () => Stage): void {
  describe('the ledger of what may be forgotten', () => {
    let ada: Person;
    let bo: Person;

    beforeAll(async () => {
      ({ ada, bo } = await stage().pair());
      const { exportWaived: isWaived, ...policy } = ada.client.policy;
      expect(isWaived).toBe(true);
      await ada.client.setPolicy(() => policy);
      await goesOn(ada, bo);
    });
    afterEach(() => stage().hostile.relent());

    const root = new Uint8Array(32).fill(7);
    const everyone = () => everyoneGroup(primitives, ada.client.org);
    const said = async (
      person: Person,
      other: Partial<Parameters<typeof createExportStatement>[2]> = {},
    ): Promise<Uint8Array> =>
      createExportStatement(primitives, await signerIn(person.store), {
        ...{ org: ada.client.org, group: everyone(), throughSeq: 2, root },
        ...{ device: person.client.device, exportedMs: now(), ...other },
      });
    const deleted = (other: Partial<DeletionStatement> = {}): Uint8Array =>
      signDeletionStatement(primitives, stage().relayKey.signer, {
        ...{ org: ada.client.org, group: everyone(), firstSeq: 1, lastSeq: 2, root, deletedMs: now() },
        ...other,
      });

    /** What ada's ledger says, and the states of its rows, when the relay answers so. */
    async function ledgerOf(lie: object) {
      stage().hostile.attack({
        victim: ada.client.device,
        async call(call, forward) {
          const answer = await forward(call);
          if (call.method !== 'GET' || !call.path.endsWith('/retention')) return answer;
          return { status: 200, body: { ...(answer.body as object), ...lie } };
        },
      });
      const { rows, findings } = await readRetentionLedger(ada.client);
      return {
        states: [...new Set(rows.map(({ state }) => state))],
        codes: findings.map(({ code, weight, detail }) => [code, weight, detail]),
        evidence: findings.flatMap((finding) => finding.evidence),
      };
    }

    test('is not what the relay says alone: that it may, that it was exported, that it is due', async () => {
      const due = [{ group: everyone(), firstSeq: 1, lastSeq: 9, dueAtMs: 1, isExported: true }];
      expect(await ledgerOf({ waived: true, due })).toMatchObject({ states: ['kept'], codes: [] });
    });

    test('takes no word of who may not give it, nor of another organisation, nor an altered one', async () => {
      const right = await said(ada);
      const altered = right.map((byte, i) => (i === right.length - 1 ? byte ^ 1 : byte));
      const foreign = await said(ada, { org: orgId('ab'.repeat(32)) });
      for (const [wire, detail] of [
        [await said(bo), 'not-permitted'],
        [foreign, 'wrong-organisation'],
        [altered, 'bad-signature'],
        [Uint8Array.of(1, 2), 'malformed'],
      ] as const) {
        const { states, codes, evidence } = await ledgerOf({ exported: [toBase64Url(wire)] });
        expect(states).toEqual(['kept']);
        expect(codes).toEqual([['acknowledgement-refused', 'alarm', detail]]);
        expect(evidence).toEqual([wire]);
        stage().hostile.relent();
      }
    });

    test('names the relay that signs a deletion too early, of another log, or that it has not done', async () => {
      const { states, codes, evidence } = await ledgerOf({ deleted: [toBase64Url(deleted())] });
      expect(codes.map(([code]) => code).toSorted()).toEqual(
        ['deleted-early', 'deleted-unreleased', 'receipt-other-log', 'still-there'].toSorted(),
      );
      expect(evidence.length).toBeGreaterThan(2);
      expect(states).toEqual(['deleted', 'kept']);
      stage().hostile.relent();
      // Taken back, it is still what the relay has signed.
      expect((await ledgerOf({ deleted: [] })).codes.map(([code]) => code)).toContain('deleted-early');
    });

    test('takes no receipt of another relay, or for another organisation', async () => {
      const wires = [deleted({ org: orgId('ab'.repeat(32)) }), deleted({ group: groupId('cd'.repeat(32)) })];
      const { codes } = await ledgerOf({ deleted: wires.map(toBase64Url) });
      expect(codes.filter(([code]) => code === 'receipt-refused').map(([, , detail]) => detail)).toEqual([
        'wrong-organisation',
        'unknown-group',
      ]);
    });
  });
}
