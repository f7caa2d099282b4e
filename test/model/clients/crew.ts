import {
  EMPTY_FRONTIER,
  parseEnvelopeHeader,
  parseEpochStatement,
  type MemberId,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { until } from '../../hostile/stage.ts';
import type { LogNode } from '../epoch-model.ts';
import { activePhones, founded, isActive, type Org } from '../model.ts';
import { differences, open, Readers, type Watched } from '../readers.ts';
import type { Announced, Said } from '../relay.ts';
import { FIRST_POLICY } from '../world.ts';
import type { Office, User } from './office.ts';

/** An organisation of real clients, what passed the relay, and what should come of it. */
export interface Crew {
  readonly office: Office;
  readonly users: Map<string, User>;
  readonly away: Set<string>;
  readonly people: Map<string, MemberId>;
  /** The model's organisation after each entry. */
  readonly logs: LogNode[];
  readonly statements: { readonly bytes: Uint8Array; readonly boxes: Announced['boxes'] }[];
  readonly envelopes: Map<string, { readonly bytes: Uint8Array; readonly sender: string }>;
  readonly readers: Readers;
  readonly story: string[];
  readonly problems: string[];
}

export async function foundCrew(office: Office): Promise<Crew> {
  const statements: Crew['statements'] = [];
  const envelopes: Crew['envelopes'] = new Map();
  office.hostile.attack({
    toRelay(frame, { who }) {
      if (frame.type === 'announce') statements.push({ bytes: frame.statement, boxes: frame.boxes });
      if (frame.type === 'append')
        for (const { envelope } of frame.items)
          envelopes.set(String(envelope), { bytes: envelope, sender: who ?? '' });
      return [frame];
    },
  });
  const user = await office.found('d0', 'p0');
  const crew: Crew = {
    office,
    users: new Map([['d0', user]]),
    away: new Set(),
    people: new Map([['p0', user.client.member]]),
    logs: [],
    statements,
    envelopes,
    readers: new Readers(true),
    story: [],
    problems: [],
  };
  grow(crew, founded('p0', 'd0', FIRST_POLICY, 0));
  return crew;
}

/** The organisation as it should be now. */
export function orgOf({ logs }: Crew): Org {
  return (logs[logs.length - 1] as LogNode).org;
}

/** One more entry. */
export function grow({ logs }: Crew, org: Org): void {
  logs.push({ wire: new Uint8Array(), tree: EMPTY_FRONTIER, parent: logs[logs.length - 1] ?? null, org });
}

/** The users that are on and in the organisation. */
export function present(crew: Crew): User[] {
  return [...crew.users.values()].filter(({ name }) => !crew.away.has(name) && isActive(orgOf(crew), name));
}

/** Waits until everybody who is on knows the log as it should be. */
export async function quiet(crew: Crew): Promise<void> {
  const { size } = orgOf(crew);
  for (const { client, name } of present(crew))
    await until(
      () => client.directorySize === size && client.state.kind === 'online',
      `${name} to know ${size} entries; it knows ${client.directorySize} and is ${client.state.kind}\n${crew.story.join('\n')}`,
    );
}

/** @throws with the table and the story, unless everybody reads what they should */
export function requireAgreement(crew: Crew): void {
  const table = differences(crew.readers.rows(watched(crew)));
  if (table === '' && crew.problems.length === 0) return;
  throw new Error(['', table, ...crew.problems, '', 'What happened:', ...crew.story].join('\n'));
}

/** Everything that passed, in the model's terms. */
function watched(crew: Crew): Watched {
  const byId = new Map([...crew.users.values()].map(({ id, name }) => [String(id), name]));
  const announced = crew.statements.map((one) => announcedOf(crew, one, byId));
  const bare: Watched = {
    ground: { primitives },
    phones: crew.users,
    actors: new Map(),
    announced,
    said: [],
  };
  return { ...bare, said: saidOf(crew, bare, byId) };
}

const known = new WeakMap<Uint8Array, Announced>();

/** Of clients that keep to the rules, at a time when no sealing key has ended. */
function announcedOf(
  { logs }: Crew,
  { bytes, boxes }: Crew['statements'][number],
  byId: ReadonlyMap<string, string>,
): Announced {
  const before = known.get(bytes);
  if (before !== undefined) return before;
  const { epoch: number, author, checkpoint, createdMs } = parseEpochStatement(primitives, bytes);
  const log = logs[checkpoint.size - 1] as LogNode;
  const epoch = {
    parent: null,
    number,
    log,
    author: byId.get(author) ?? author,
    createdMs,
    boxed: new Set(activePhones(log.org)),
    flaw: null,
  };
  const announced: Announced = { kind: 'statement', bytes, boxes, epoch };
  known.set(bytes, announced);
  return announced;
}

const resolved = new WeakMap<Uint8Array, Said>();

/** The envelopes, each under the statement whose key opens it for its sender; it says which log its sender knew. */
function saidOf(crew: Crew, bare: Watched, byId: ReadonlyMap<string, string>): Said[] {
  return [...crew.envelopes.values()].flatMap(({ bytes, sender }) => {
    const before = resolved.get(bytes);
    if (before !== undefined) return [before];
    const user = crew.users.get(byId.get(sender) ?? '');
    const { epoch } = parseEnvelopeHeader(bytes);
    for (const under of bare.announced.filter((one) => one.epoch.number === epoch)) {
      const key = user === undefined ? null : crew.readers.keyOf(bare, user, under);
      const message = key === null ? null : open(bare, { bytes, under }, key);
      if (message === null || user === undefined) continue;
      const log = crew.logs[message.heads.directory.size - 1] as LogNode;
      const text = `message ${message.counter}`;
      const said: Said = { kind: 'envelope', bytes, sender: user.name, text, log, under };
      resolved.set(bytes, said);
      return [said];
    }
    crew.problems.push(`an envelope of ${byId.get(sender) ?? sender} that its own sender cannot open`);
    return [];
  });
}
