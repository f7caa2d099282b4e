/** Who talks: so many groups, each with one that publishes and so many that listen. */
export interface Shape {
  readonly groups: number;
  readonly listeners: number;
}

/** What a crowd tells whoever drives it. Numbers of messages are what was given to `publish`. */
export interface CrowdEvents {
  heard(group: number, listener: number, number: number): void;
  /** The service has said that it keeps the message. */
  accepted(number: number): void;
  failed(error: Error): void;
}

/** Connections to one service, all in place. */
export interface Crowd {
  publish(group: number, number: number): void;
}

/** Every message is so long, whatever carries it. */
export const MESSAGE_BYTES = 1024;

/** Where a message has its number, as 4 bytes: behind the header that a relay reads. */
export const NUMBER_AT = 86;

/** The number in a message that begins at `start`. */
export function numberIn(bytes: Uint8Array, start: number): number {
  const at = start + NUMBER_AT;
  const [a, b, c, d] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]] as number[] as [
    number,
    number,
    number,
    number,
  ];
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

/** Writes the number of a message into it. */
export function writeNumber(message: Uint8Array, number: number): void {
  new DataView(message.buffer, message.byteOffset).setUint32(NUMBER_AT, number);
}
