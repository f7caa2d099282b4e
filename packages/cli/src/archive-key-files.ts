import { printRecipient } from '@keytide/archive';
import { parseQuorumSet, type DealtQuorum, type Secret } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { join } from 'node:path';
import { writeNewFolder, type NewFile } from './new-folder.ts';
import { SET_FILE, shareSheet } from './share-sheet.ts';

/** The public key, as `keytide policy set archive-key` and `age` take it. */
export const RECIPIENT_FILE = 'recipient.txt';

/** A sheet that was written. */
export interface Sheet {
  readonly holder: string;
  readonly file: string;
}

/** Writes what was dealt to a new folder, and disposes the shares. @throws CliError `file-exists`, and then nothing is there */
export async function writeDealt(
  folder: string,
  { set: wire, shares }: DealtQuorum,
  publicKey: Uint8Array,
): Promise<readonly Sheet[]> {
  try {
    const set = parseQuorumSet(primitives, wire);
    const sheets = shares.map(({ index, holder, share }): Sheet & NewFile => {
      const name = sheetName(index, holder);
      return { holder, name, file: join(folder, name), bytes: utf8(shareSheet(set, index, share)) };
    });
    const recipient = { name: RECIPIENT_FILE, bytes: utf8(`${printRecipient(publicKey)}\n`) };
    await writeNewFolder(folder, [{ name: SET_FILE, bytes: wire }, recipient, ...sheets]);
    return sheets.map(({ holder, file }) => ({ holder, file }));
  } finally {
    disposeAll(shares.map(({ share }) => share));
  }
}

/** Wipes secrets. */
export function disposeAll(secrets: readonly Secret[]): void {
  for (const secret of secrets) secret.dispose();
}

function sheetName(index: number, holder: string): string {
  const plain = holder
    .normalize('NFKD')
    .replace(/[^A-Za-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return `share-${index}${plain === '' ? '' : `-${plain.slice(0, 32)}`}.txt`;
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
