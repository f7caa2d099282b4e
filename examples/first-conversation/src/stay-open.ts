import { createInterface } from 'node:readline';
import type { Person } from './person.ts';
import { plainText } from './plain-text.ts';
import type { WatchedRelay } from './watched-relay.ts';

/** What is there after the story. */
interface StayOpenOptions {
  readonly ada: Person;
  readonly relay: WatchedRelay;
  /** The story's folder, as it can be typed in the project's folder. */
  readonly folder: string;
  readonly until: Promise<unknown>;
}

/** Prints how a second terminal joins and chats, and lets this terminal answer as Ada, until it is interrupted. */
export async function stayOpen({ ada, relay, folder, until }: StayOpenOptions): Promise<void> {
  const { link } = await ada.run('invite');
  await ada.openChat('--history', '0');
  const home = quoted(`${folder}/carol`);
  console.log(`
The relay stays at ${relay.url}. In a second terminal, in this project's folder, join and chat:

  npx keytide join ${quoted(String(link))} --name carol --home ${home}
  npx keytide chat --home ${home}

What you type here is said by Ada. Ctrl-C ends everything and removes the story's folder.
`);
  const typed = createInterface({ input: process.stdin });
  typed.on('line', (line) => ada.say(line));
  const showing = show(ada);
  await Promise.race([until, showing]);
  typed.close();
}

/** Prints what Ada's device shows from now on. */
async function show(ada: Person): Promise<never> {
  for (let from = ada.chat.lines.length; ;) {
    const line = await ada.chat.line((candidate) => candidate['event'] === 'message', from);
    from = ada.chat.lines.indexOf(line) + 1;
    if (line['own'] !== true) console.log(`${plainText(line['handle'])}: ${plainText(line['text'])}`);
  }
}

/** For a POSIX shell. */
function quoted(text: string): string {
  return /^[\w./:-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
