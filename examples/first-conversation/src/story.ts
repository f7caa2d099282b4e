import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Line, Processes } from './keytide-process.ts';
import { Person } from './person.ts';
import { plainText } from './plain-text.ts';
import { WatchedRelay } from './watched-relay.ts';

/** What the story needs. */
export interface StoryOptions {
  readonly cast: Cast;
  /** The CSV file whose requests are imported. */
  readonly requestsPath: string;
  /** Called with one line a step: what happened, and what the relay could see of it. */
  tell(happened: string, relaySaw: string): void;
}

/** Who takes part. */
export interface Cast {
  readonly relay: WatchedRelay;
  readonly ada: Person;
  readonly bob: Person;
}

/** A relay and two people, each with a folder of their own in the empty `folder`. */
export function createCast(folder: string, processes: Processes): Cast {
  return {
    relay: new WatchedRelay(processes, join(folder, 'relay')),
    ada: new Person('ada', folder, processes),
    bob: new Person('bob', folder, processes),
  };
}

/**
 * Two people, one relay, three separate processes: an organisation is made, both talk, requests are imported
 * and edited, and twice the relay is killed in the middle. At the end only the relay runs.
 * @throws Error when a process fails, or when anything that was acknowledged is missing
 */
export async function tellStory({ cast, requestsPath, tell }: StoryOptions): Promise<void> {
  const { relay, ada, bob } = cast;
  const told = (happened: string): void => tell(happened, relay.saw());

  await relay.start();
  told(`The relay runs at ${relay.url}.`);
  await ada.run('org', 'create', '--relay', relay.url, '--name', 'ada');
  told('Ada made an organisation; her device made its keys and published the public halves.');
  const link = String((await ada.run('invite'))['link']);
  told('Ada made an invite for one person; the secret in it never reaches the relay.');
  await bob.join(link);
  told('Bob joined with it; his device checked every entry of the membership log, and published its keys.');
  const devices = await sameForBoth(cast, devicesOf, 'the devices');
  const names = devices.map(([name]) => name);
  assertEqual(names, ['ada', 'bob'], 'whose devices there are');
  told("Both verified the same two devices, Ada's and Bob's, by their keys.");

  const chat = await talk(cast, told);
  const { count, refused } = await importRequests(relay, ada, requestsPath);
  const left = refused === 0 ? '' : ` (and ${refused} rows were refused)`;
  told(`Ada imported ${count} requests${left}; in the middle the relay was killed, and came back.`);
  const [first] = (await requestsOf(bob)) as [Line];
  const id = String(first['id']);
  await bob.run('requests', 'edit', id, 'status=assigned', 'note=on my way with the boat');
  told(`Bob took one of them, "${plainText(first['title'])}": status and note changed.`);

  const requests = await sameForBoth(cast, requestsOf, 'the requests');
  assertEqual(requests.length, count, 'the number of requests');
  assertEqual(requests.filter(({ status }) => status === 'assigned').length, 1, 'the edited requests');
  told(`Both devices show the same ${count} requests: their lists have the hash ${hashOf(requests)}.`);
  assertEqual(await sameForBoth(cast, chatOf, 'the chat'), chat, 'the chat now and before');
  told(
    `Both devices show the same ${chat.length} messages in the same order: nothing acknowledged was lost.`,
  );
}

async function talk({ relay, ada, bob }: Cast, told: (happened: string) => void): Promise<readonly string[]> {
  await Promise.all([ada.openChat(), bob.openChat()]);
  await exchange(ada, bob, 'Hello Bob, can you read this?');
  await exchange(bob, ada, 'Clear as day, Ada; and nobody between us can.');
  told('Ada wrote to Bob, and Bob to Ada, each in a process of their own.');

  ada.say('The bridge at the mill is closed.');
  await ada.sees('The bridge at the mill is closed.');
  const [fromAda, fromBob] = [ada.chat.lines.length, bob.chat.lines.length];
  await relay.kill();
  await Promise.all([ada.notices(fromAda), bob.notices(fromBob)]);
  ada.say('Take the upper road.');
  bob.say('Two people wait at the school.');
  await Promise.all([ada.keeps(fromAda), bob.keeps(fromBob)]);
  told('The relay was killed (SIGKILL) in the middle of the talk; both went on writing.');
  await relay.start();
  for (const person of [ada, bob]) {
    for (const text of ['Take the upper road.', 'Two people wait at the school.']) await person.sees(text);
  }
  told('The relay came back on the same folder; what had waited on both devices arrived, once.');
  const chat = await ada.closeChat();
  assertEqual(chat, await bob.closeChat(), 'what both chats show');
  assertEqual(new Set(chat).size, 5, 'the messages, each once');
  return chat;
}

async function exchange(from: Person, to: Person, text: string): Promise<void> {
  from.say(text);
  await to.sees(text);
}

/** Kills the relay in the middle of the import. */
async function importRequests(
  relay: WatchedRelay,
  ada: Person,
  path: string,
): Promise<{ count: number; refused: number }> {
  const importing = ada.start('requests', 'import', path, '--timeout', '60');
  importing.endInput();
  await importing.line(({ event }) => event === 'progress' || event === 'imported');
  await relay.kill();
  await sleep(300);
  await relay.start();
  const { imported, refused } = await importing.line(({ event }) => event === 'imported');
  if (imported === 0) throw new Error('the file holds no request that can be imported');
  // With refused rows, which it has listed, it does not end with 0.
  if (refused === 0) await importing.succeeded();
  await importing.ended;
  return { count: Number(imported), refused: Number(refused) };
}

/** Every device with its member's name, by name. */
async function devicesOf(person: Person): Promise<readonly (readonly [string, string])[]> {
  const { members } = (await person.run('members')) as unknown as {
    members: readonly { handle: string; devices: readonly string[] }[];
  };
  return members
    .flatMap(({ handle, devices }) => devices.map((device) => [handle, device] as const))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
}

async function requestsOf(person: Person): Promise<readonly Line[]> {
  return (await person.run('requests', 'list'))['requests'] as readonly Line[];
}

async function chatOf(person: Person): Promise<readonly string[]> {
  await person.openChat();
  return person.closeChat();
}

/** Asks both devices at once, and insists that they answer alike. */
async function sameForBoth<T>(
  { ada, bob }: Cast,
  ask: (person: Person) => Promise<T>,
  what: string,
): Promise<T> {
  const [a, b] = await Promise.all([ask(ada), ask(bob)]);
  assertEqual(a, b, `${what} on both devices`);
  return a;
}

function assertEqual(a: unknown, b: unknown, what: string): void {
  if (JSON.stringify(a) !== JSON.stringify(b)) throw new Error(`${what} should be equal, and differ`);
}

function hashOf(value: unknown): string {
  return `${createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 12)}…`;
}
