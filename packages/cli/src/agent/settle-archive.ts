import { verifyArchive, type ArchiveStats } from '@keytide/archive';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { withArchive } from '../archive-place.ts';
import { lacksOnlyApprovals } from '../archive-report.ts';
import { archiveIn } from './archive-in.ts';
import { lookAt, places, UNSOUND, type Look } from './places.ts';
import { rootOf } from './roots.ts';
import type { Round } from './round.ts';
import { distrust, refuse, settle, startOver, type Pending, type Series } from './series.ts';
import type { AgentState } from './state.ts';

/** What is left to do, and whether trying again before the next archive would only repeat it. */
interface Left {
  readonly code: string | null;
  readonly isPutOff: boolean;
}

interface LeftOfOne extends Left {
  /** Where admins are yet to sign it. */
  readonly approvals?: AgentState['approvals'];
}

/**
 * Does what is left to do for every archive, the oldest first.
 * @throws the signal's reason
 */
export async function settleAll(round: Round): Promise<Left> {
  const { memory, signal, codeOf } = round;
  let left: Left = { code: null, isPutOff: false };
  let approvals: AgentState['approvals'] = null;
  for (const { name } of memory.state.series.pending) {
    // By what became of one, others may be done with as well, or not to be relied on.
    const pending = memory.state.series.pending.find((one) => one.name === name);
    if (pending === undefined) continue;
    let found: LeftOfOne;
    try {
      found = await settleOne(round, pending);
    } catch (error) {
      signal.throwIfAborted();
      found = { code: codeOf(error), isPutOff: false };
    }
    left = { code: left.code ?? found.code, isPutOff: left.isPutOff || found.isPutOff };
    approvals ??= found.approvals ?? null;
  }
  if (JSON.stringify(approvals) !== JSON.stringify(memory.state.approvals)) await memory.keep({ approvals });
  // However well all else goes: somebody has to look.
  const isUnsound = left.code === null && memory.state.series.unsound !== null;
  return isUnsound ? { code: UNSOUND, isPutOff: true } : left;
}

async function settleOne(round: Round, pending: Pending): Promise<LeftOfOne> {
  const { memory, destinations, needed, tell } = round;
  const { name, previous, isTold, isBehind } = pending;
  // With the relay there is nothing left to do.
  const isDone = isTold || isBehind;
  const { stats: first, obstacle, approvals: count } = await firstLook(round, { name, isTold: isDone });
  const approvals = obstacle === 'approval-needed' && count !== null ? { archive: name, ...count } : null;
  const isShort = obstacle === 'keys-missing' || obstacle === 'attachments-missing';
  if (isShort && pending.previous === null && memory.state.series.told !== null) {
    // What cannot be had any more is in the archives that were told: one that goes on from them has the rest.
    await memory.keep({ series: distrust(memory.state.series, name) });
    await round.onArchived(false);
    return { code: obstacle, isPutOff: false };
  }
  if (obstacle !== null && pending.isEverywhere) return { code: obstacle, isPutOff: false, approvals };
  // In this very round: what was whole a week ago may be gone.
  const { sound, whole, code, stats } = await places(round, { name, previous, isTold: isDone }, first.signed);
  if (code === UNSOUND && isTold) return { code, isPutOff: false };
  if (code === UNSOUND) return await putOff(round, code, refuse(memory.state.series, name));
  const isEverywhere = whole === destinations.length;
  const mayTell = !isDone && obstacle === null && sound >= needed;
  const told = mayTell && stats !== null ? await tellRelay(round, stats) : null;
  if (told !== null) tell({ event: 'settled', archive: name, relay: told });
  const isSettled = told === 'acknowledged' || told === 'not-asked';
  await memory.keep({
    series: settle(memory.state.series, name, { isEverywhere, isTold: isTold || isSettled }),
  });
  if (told === null || isSettled) return { code: obstacle ?? code, isPutOff: false, approvals };
  // One of those who have signed it was removed since.
  if (told === 'approval-needed')
    return { code: told, isPutOff: false, approvals: { archive: name, given: null, needed: null } };
  const [oldest] = memory.state.series.pending.filter((one) => !one.isTold);
  if (told === 'begins-later' && oldest?.name !== name) return { code: told, isPutOff: false };
  // There is nothing that it could wait for.
  return await putOff(round, told, startOver(distrust(memory.state.series, name)));
}

/** What an archive is, and why the relay is not to be told however sound it is: from what takes little reading. */
async function firstLook(round: Round, { name, isTold }: Pick<Pending, 'name' | 'isTold'>): Promise<Look> {
  const { destinations, device, acknowledge } = round;
  await rootOf(destinations[0]);
  return await withArchive(archiveIn(destinations[0], name), async (files) => {
    const look = await lookAt(round, files, { isTold, verified: null });
    if (isTold || acknowledge === 'never' || look.obstacle !== null) return look;
    const report = await verifyArchive({ primitives, files, org: device.org, quick: true });
    const isWaiting = lacksOnlyApprovals(report);
    const approvals = report.archive?.approvals ?? null;
    return { ...look, obstacle: isWaiting ? 'approval-needed' : null, approvals };
  });
}

async function tellRelay({ device, acknowledge }: Round, stats: ArchiveStats): Promise<string> {
  if (acknowledge === 'never') return 'not-asked';
  return await device.acknowledge(stats, { evenIfLacking: acknowledge === 'all' });
}

/** To be made up for by the next archive, in its time: at once would only repeat it. */
async function putOff({ memory }: Round, code: string, series: Series): Promise<Left> {
  await memory.keep({ series });
  return { code, isPutOff: true };
}
