/** One message to send, in both forms, so that no peer pays for a conversion that it does not need. */
export interface Payload {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly text: string;
}

/** What a peer gives back for a message: bytes or text, whichever is its own. */
export type Opened = Uint8Array | string;

/** A receiver with established keys that has read nothing yet. */
export interface Reader<Sealed> {
  /** One live message. */
  open(sealed: Sealed): Opened | Promise<Opened>;
  /** Everything that came while it was away, in the order of the log. */
  openAll(backlog: readonly Sealed[]): Opened[] | Promise<Opened[]>;
  /** Gives memory back that no garbage collector sees. */
  close?(): void;
}

/** Senders and a receiver that share keys already. `seal` gives what travels. */
export interface Group<Sealed> {
  seal(sender: number, payload: Payload): Sealed | Promise<Sealed>;
  reader(): Reader<Sealed> | Promise<Reader<Sealed>>;
}

/** A library that seals messages for a group. */
export interface Messenger<Sealed = unknown> {
  readonly name: string;
  makeGroup(senders: number): Promise<Group<Sealed>>;
}

/** 1 KB, the size that all our measurements of messages use. */
const PAYLOAD_BYTES = 1_000;

/** So many different messages of 1 KB in ASCII. */
export function makePayloads(count: number): Payload[] {
  return Array.from({ length: count }, (_, index) => {
    const text = `message ${index} `.padEnd(PAYLOAD_BYTES, 'x');
    const bytes = new Uint8Array(PAYLOAD_BYTES);
    for (let at = 0; at < PAYLOAD_BYTES; at += 1) bytes[at] = text.charCodeAt(at);
    return { bytes, text };
  });
}

/** @throws Error unless these are the messages that were sealed, all and in order */
export function checkOpened(opened: readonly Opened[], payloads: readonly Payload[]): void {
  if (opened.length !== payloads.length) throw new Error(`${opened.length} of ${payloads.length} messages`);
  for (const [index, message] of opened.entries()) {
    const { bytes, text } = payloads[index] as Payload;
    const same =
      typeof message === 'string'
        ? message === text
        : message.length === bytes.length && message.every((byte, at) => byte === bytes[at]);
    if (!same) throw new Error(`message ${index} is not what was sealed`);
  }
}
