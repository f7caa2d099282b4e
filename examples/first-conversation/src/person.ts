import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { KeytideProcess, Line, Processes } from './keytide-process.ts';

/** A person with one device: a folder, a passphrase that nobody sees, and one process at a time. */
export class Person {
  readonly name: string;
  readonly home: string;
  readonly passphrase: string = randomBytes(18).toString('base64url');
  readonly #processes: Processes;
  #chat: KeytideProcess | null = null;

  constructor(name: string, folder: string, processes: Processes) {
    this.name = name;
    this.home = join(folder, name);
    this.#processes = processes;
  }

  /** Runs one command on this device to its end; its last line. */
  run(...args: readonly string[]): Promise<Line> {
    return this.#processes.run(this.#start(args));
  }

  /** Joins with an invite link, which is a secret until then and so goes through stdin. */
  join(link: string): Promise<Line> {
    return this.#processes.run({ ...this.#start(['join', '-', '--name', this.name]), input: link });
  }

  /** Starts a command on this device and lets it run. */
  start(...args: readonly string[]): KeytideProcess {
    return this.#processes.start(this.#start(args));
  }

  /** Opens the live chat; `more` are further options. */
  async openChat(...more: readonly string[]): Promise<void> {
    this.#chat = this.start('chat', ...more);
    await this.#chat.line(({ event, state }) => event === 'state' && state === 'online');
  }

  /** The live chat. */
  get chat(): KeytideProcess {
    if (this.#chat === null) throw new Error(`${this.name} has no chat open`);
    return this.#chat;
  }

  /** Says something, without waiting for anything. */
  say(text: string): void {
    this.chat.type(text);
  }

  /** Waits until this device shows a message with this text: the relay has it then. */
  async sees(text: string): Promise<Line> {
    return this.chat.line((line) => line['event'] === 'message' && line['text'] === text);
  }

  /** Waits until the chat has noticed that the relay is away; looks at lines after `from`. */
  async notices(from: number): Promise<void> {
    await this.chat.line(({ event, state }) => event === 'state' && state !== 'online', from);
  }

  /** Waits until a line that was typed without the relay is safe on this device. */
  async keeps(from: number): Promise<void> {
    await this.chat.line(({ event, online }) => event === 'queued' && online === false, from);
  }

  /** Ends the chat as Ctrl-D does; the texts it has shown, in order. */
  async closeChat(): Promise<readonly string[]> {
    this.chat.endInput();
    await this.chat.succeeded();
    const messages = this.chat.lines.filter(({ event }) => event === 'message');
    this.#chat = null;
    return messages.map(({ handle, text }) => `${String(handle)}: ${String(text)}`);
  }

  #start(args: readonly string[]): { args: readonly string[]; passphrase: string } {
    return { args: [...args, '--home', this.home], passphrase: this.passphrase };
  }
}
