import { deviceId, groupId, orgId, type GroupId, type OrgId, type Random } from '@keytide/crypto-core';
import type {
  Announcement,
  EnvelopeAppend,
  Filed,
  FilingVerdict,
  LogAddition,
  LogGrowth,
  RelayStore,
} from '@keytide/server-relay';
import { seededRandom } from './seeded-random.ts';

/** A group of an organisation that no other check uses. */
export interface Place {
  readonly org: OrgId;
  readonly group: GroupId;
  readonly random: Random;
}

export const NOW_MS: number = Date.UTC(2030, 0, 1);
/** The day of `NOW_MS`. */
export const TODAY: number = NOW_MS / 86_400_000;

/** A place whose ids follow from `seed`; make the seed unique, the store may keep earlier runs. */
export function placeOf(seed: string): Place {
  const random = seededRandom(`${seed} ${process.pid} ${process.hrtime.bigint()}`);
  return { org: orgId(random(32)), group: groupId(random(32)), random };
}

/** A place with an organisation and a first epoch. */
export async function startedPlace(store: RelayStore, seed: string): Promise<Place> {
  const place = placeOf(seed);
  const growth = growthAt(place, 0);
  await store.createOrganisation({ org: place.org, wire: place.random(100), growth, nowMs: NOW_MS });
  await addDayKey(store, place);
  await store.announceEpoch(announcement(place, 1));
  return place;
}

/** Keeps a key for a day, without which nothing is filed under it. */
export async function addDayKey(
  store: RelayStore,
  { org, random }: Pick<Place, 'org' | 'random'>,
  day: number = TODAY,
): Promise<void> {
  await store.addDayKey(org, day, { wrappingKey: 'a wrapping key', wrapped: random(60) });
}

/** Filed under a day, with one table for everybody, and ids looked up from the beginning on. */
export function filedOn({ random }: Pick<Place, 'random'>, day: number = TODAY): Filed {
  return { filing: { day, retentionClass: 8, sinceDay: TODAY - 90 }, digest: random(16) };
}

/** What entry `index` might add: a leaf, a node and a checkpoint. A store does not look into them. */
export function growthAt({ random }: Pick<Place, 'random'>, index: number): LogGrowth {
  return {
    hashes: [{ level: 0, place: index, hash: random(32) }],
    nodes: [{ hash: random(32), bytes: random(98) }],
    checkpoint: random(300),
  };
}

/** An entry for the log of a place. */
export function addition(place: Pick<Place, 'org' | 'random'>, index: number, wire: Uint8Array): LogAddition {
  return { org: place.org, index, wire, growth: growthAt(place, index), ended: [] };
}

/** An envelope-sized item of epoch 1. */
export function item(place: Place, changes: Partial<EnvelopeAppend & Filed> = {}): EnvelopeAppend & Filed {
  const { org, group, random } = place;
  const envelope = random(200);
  return { org, group, epoch: 1, messageId: random(16), envelope, ...filedOn(place), ...changes };
}

/** A statement with boxes for three devices. */
export function announcement(place: Place, epoch: number, day: number = TODAY): Announcement & Filed {
  const { org, group, random } = place;
  const boxes = [100, 1168, 1].map((sizeBytes) => ({ device: deviceId(random(32)), box: random(sizeBytes) }));
  return { org, group, epoch, messageId: random(16), statement: random(500), boxes, ...filedOn(place, day) };
}

/** The seqs of verdicts; a refusal as its code. */
export function outcomes(verdicts: readonly FilingVerdict[]): (number | string)[] {
  return verdicts.map((verdict) => {
    if ('sealAgainFor' in verdict) return `seal again for ${verdict.sealAgainFor}`;
    return 'refused' in verdict ? verdict.refused : verdict.seq;
  });
}

/** Every entry of a group's log, page by page. */
export async function wholeLog(
  store: RelayStore,
  { org, group }: Pick<Place, 'org' | 'group'>,
): Promise<{ seq: number; kind: string; bytes: Uint8Array }[]> {
  const log: { seq: number; kind: string; bytes: Uint8Array }[] = [];
  for (;;) {
    const page = await store.readEntries(org, group, log.at(-1)?.seq ?? 0);
    if (page.entries.length === 0) return log;
    log.push(...page.entries.map(({ seq, kind, bytes }) => ({ seq, kind, bytes })));
  }
}
