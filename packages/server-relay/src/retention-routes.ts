import { toBase64Url, type OrgId, type Primitives } from '@keytide/crypto-core';
import { DirectoryError, verifyExportStatement, type ExportStatement } from '@keytide/key-directory/verify';
import { exportRequest, exportResponse, LIMITS, retentionResponse } from '@keytide/relay-protocol';
import type { Blobs } from './blobs.ts';
import type { Clock } from './clock.ts';
import type { Routes } from './create-routes.ts';
import { RelayError } from './errors.ts';
import type { EnteredDevice } from './gate.ts';
import { dayOf, dueMs, warningMs } from './retention.ts';
import type { RelayStore } from './store.ts';

/** What the routes about retention work with. */
export interface RetentionRoutesOptions {
  readonly store: Pick<
    RelayStore,
    'listLogDays' | 'listDeletions' | 'listExports' | 'putExport' | 'readEntries'
  >;
  readonly blobs: Pick<Blobs, 'held'>;
  readonly primitives: Primitives;
  readonly clock: Clock;
}

/** What is due to be forgotten, and who says that it was exported (docs/spec/release.md). */
export function addRetentionRoutes(routes: Routes, options: RetentionRoutesOptions): void {
  const { store, blobs, clock } = options;

  routes.add(
    {
      method: 'get',
      path: '/v1/organisations/:org/retention',
      who: 'exporter',
      summary: 'What is about to be forgotten, and what was',
      answer: retentionResponse,
    },
    async ({ caller }) => {
      const { org, state } = caller;
      const { policy } = state;
      const horizonMs = clock.now() + warningMs(policy);
      const days = await store.listLogDays(org, dayOf(horizonMs));
      const due = days
        .map(({ group, day, firstSeq, lastSeq, exportedThrough }) => ({
          ...{ group, firstSeq, lastSeq },
          dueAtMs: dueMs(policy, day),
          isExported: lastSeq <= exportedThrough,
        }))
        .filter(({ dueAtMs }) => dueAtMs <= horizonMs);
      const [deletions, exports] = [await store.listDeletions(org), await store.listExports(org)];
      return {
        waived: policy.exportWaived === true,
        due: due.slice(0, LIMITS.retentionDays),
        deleted: deletions.map(({ wire }) => toBase64Url(wire)),
        exported: exports.map(toBase64Url),
        attachmentsHeld: await blobs.held(org, policy),
      };
    },
  );

  routes.add(
    {
      method: 'post',
      path: '/v1/organisations/:org/exports',
      who: 'exporter',
      summary: "Says that the calling device has exported a group's log up to some place",
      body: exportRequest,
      answer: exportResponse,
      status: 201,
      refusals: ['record-refused', 'head-moved'],
    },
    async ({ caller, body: { statement: wire } }) => {
      const statement = verified(options.primitives, caller, wire);
      const { org, state } = caller;
      const { group, device, throughSeq } = statement;
      await requireThere(options, org, statement);
      if (!(await store.putExport({ org, group, device, throughSeq, wire }, state.size)))
        throw new RelayError('head-moved', 'the membership log has grown meanwhile', { size: state.size });
      return { throughSeq };
    },
  );
}

function verified(
  primitives: Primitives,
  { state, device }: EnteredDevice,
  wire: Uint8Array,
): ExportStatement {
  try {
    const statement = verifyExportStatement(primitives, state, wire);
    if (statement.device !== device.id) throw new DirectoryError('unknown-device', 'of another device');
    return statement;
  } catch (cause) {
    if (!(cause instanceof DirectoryError)) throw cause;
    throw new RelayError('record-refused', 'not a statement of this device', { cause, reason: cause.code });
  }
}

/** What is not there yet nobody has exported. */
async function requireThere(
  { store }: RetentionRoutesOptions,
  org: OrgId,
  { group, throughSeq }: ExportStatement,
): Promise<void> {
  const { headSeq } = await store.readEntries(org, group, throughSeq);
  if (throughSeq > headSeq)
    throw new RelayError('record-refused', 'the log does not go so far', { reason: 'wrong-stretch' });
}
