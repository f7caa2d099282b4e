import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';

/** A membership log in a file: each wire after its length in four bytes. Too large at 100,000 devices for every process to hold it. */
export class LogFile {
  readonly #file: number;
  /** Where each wire begins, and where the next one will. */
  readonly #starts: number[] = [0];
  #unwritten: Buffer[] = [];

  /** Opens the file at `path`; a missing one is an empty log. */
  constructor(path: string) {
    this.#file = openSync(path, 'a+');
    const end = fstatSync(this.#file).size;
    const header = Buffer.alloc(HEADER_BYTES);
    for (let at = 0; at < end;) {
      readSync(this.#file, header, 0, HEADER_BYTES, at);
      at += HEADER_BYTES + header.readUInt32BE();
      this.#starts.push(at);
    }
  }

  /** How many wires there are. */
  get length(): number {
    return this.#starts.length - 1;
  }

  append(wire: Uint8Array): void {
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32BE(wire.length);
    this.#unwritten.push(header, Buffer.from(wire));
    this.#starts.push((this.#starts.at(-1) as number) + HEADER_BYTES + wire.length);
    if (this.#unwritten.length >= UNWRITTEN) this.flush();
  }

  flush(): void {
    writeSync(this.#file, Buffer.concat(this.#unwritten));
    this.#unwritten = [];
  }

  /** The wires from `start` up to `end`. */
  read(start: number, end: number): Uint8Array[] {
    const [first, last] = [this.#starts[start], this.#starts[Math.min(end, this.length)]] as [number, number];
    const bytes = new Uint8Array(last - first);
    readSync(this.#file, bytes, 0, bytes.length, first);
    return Array.from({ length: Math.min(end, this.length) - start }, (_, i) => {
      const at = (this.#starts[start + i] as number) - first;
      const next = (this.#starts[start + i + 1] as number) - first;
      return bytes.slice(at + HEADER_BYTES, next);
    });
  }

  close(): void {
    this.flush();
    closeSync(this.#file);
  }
}

const HEADER_BYTES = 4;
const UNWRITTEN = 1_024;
