/** A process of its own for `attachment-memory.ts`: FOLDER encrypt|decrypt, prints by how many bytes it grew. */
import { closeSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import {
  encodeAttachmentDescriptor,
  openAttachment,
  parseAttachmentDescriptor,
  sealAttachment,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';

const PIECE_BYTES = 65_536;
const [folder = '', act = ''] = process.argv.slice(2);

/** Reads a file piece by piece into the same memory. */
function readPieces(name: string, take: (piece: Uint8Array) => void, maxPieces = Infinity): void {
  const file = openSync(join(folder, name), 'r');
  const buffer = new Uint8Array(PIECE_BYTES);
  for (let count = 0; count < maxPieces; count += 1) {
    const size = readSync(file, buffer);
    if (size === 0) break;
    take(buffer.subarray(0, size));
  }
  closeSync(file);
}

function seal(sink: (piece: Uint8Array) => void, maxPieces?: number) {
  const sealer = sealAttachment({ primitives, random });
  readPieces('content', (piece) => sealer.push(piece).forEach(sink), maxPieces);
  for (const piece of sealer.end()) sink(piece);
  return sealer.descriptor();
}

/** The largest resident size while `work` runs, over that at its start; `work` calls `look` for every piece. */
function growth(work: (look: () => void) => void): number {
  (globalThis as { gc?: () => void }).gc?.();
  const before = process.memoryUsage.rss();
  let most = before;
  work(() => (most = Math.max(most, process.memoryUsage.rss())));
  return most - before;
}

/** Writes FOLDER/sealed, and FOLDER/descriptor to open it with. */
function encrypt(look: () => void): void {
  const file = openSync(join(folder, 'sealed'), 'w');
  const descriptor = seal((piece) => {
    writeSync(file, piece);
    look();
  });
  closeSync(file);
  writeFileSync(join(folder, 'descriptor'), encodeAttachmentDescriptor(descriptor));
}

/** Opens FOLDER/sealed, and compares with FOLDER/content as it goes. */
function decrypt(look: () => void): void {
  const descriptor = parseAttachmentDescriptor(new Uint8Array(readFileSync(join(folder, 'descriptor'))));
  const opener = openAttachment(primitives, descriptor);
  const content = openSync(join(folder, 'content'), 'r');
  const buffer = new Uint8Array(PIECE_BYTES);
  readPieces('sealed', (piece) => {
    for (const opened of opener.push(piece)) {
      const size = readSync(content, buffer, 0, opened.length, null);
      if (Buffer.compare(opened, buffer.subarray(0, size)) !== 0) throw new Error('other content');
    }
    look();
  });
  opener.end();
  closeSync(content);
}

// Everything is loaded and compiled before the first look.
seal(() => {}, 16);
console.log(growth(act === 'encrypt' ? encrypt : decrypt));
