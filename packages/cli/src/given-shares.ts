import {
  CryptoError,
  examineShares,
  readPrintedShare,
  type CryptoErrorCode,
  type QuorumSet,
  type Secret,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import type { Context } from './context.ts';
import { readFileBytes } from './file-bytes.ts';
import { readStdinText } from './stdin-text.ts';
import { usageError } from './usage.ts';

/** A share as somebody gave it. */
export interface GivenShare {
  /** The file, `stdin`, or `typed`. */
  readonly from: string;
  /** `null` for what is no share, or was mistyped. */
  readonly share: Secret | null;
}

/** What a share is worth. */
export interface ShareVerdict {
  readonly from: string;
  /** Whose share it is, or says that it is; `null` for one of another set, and for none. */
  readonly holder: string | null;
  readonly verdict: 'good' | CryptoErrorCode;
}

const MAX_SHARES_BYTES = 64 * 1024;
const MAX_TYPED = 128;
/** How a printed share begins. */
export const SHARE: RegExp = /^\s*kts1/i;

/**
 * The shares in these files (`-`: stdin), or without any as a person types them, hidden.
 * @throws CliError `usage` when there is nobody to ask, and for a share in the place of a file; `file-unreadable`
 */
export async function readShares(context: Context, paths: readonly string[]): Promise<GivenShare[]> {
  if (paths.length === 0) return await typedShares(context);
  assertPaths(paths);
  const shares: GivenShare[] = [];
  for (const path of paths) {
    const text =
      path === '-'
        ? await readStdinText(MAX_SHARES_BYTES)
        : new TextDecoder().decode(await readFileBytes(path, MAX_SHARES_BYTES));
    const from = path === '-' ? 'stdin' : path;
    shares.push(...printedIn(text).map((printed) => ({ from, share: shareIn(printed) })));
  }
  return shares;
}

/** What each share is worth, in the order in which they were given. */
export function judgeShares(set: QuorumSet, given: readonly GivenShare[]): ShareVerdict[] {
  const shares = sharesIn(given);
  const { good, refused } = examineShares(primitives, set, shares);
  const judged = new Map<number, Pick<ShareVerdict, 'holder' | 'verdict'>>();
  for (const { position, holder } of good) judged.set(position, { holder, verdict: 'good' });
  for (const { position, holder, code } of refused) judged.set(position, { holder, verdict: code });
  return given.map(({ from, share }) => {
    const found = share === null ? undefined : judged.get(shares.indexOf(share));
    return { from, ...(found ?? { holder: null, verdict: 'mistyped-share' }) };
  });
}

/** A share that was given where its file belongs is not quoted: errors end up in logs. */
function assertPaths(paths: readonly string[]): void {
  if (!paths.some((path) => SHARE.test(path))) return;
  throw usageError(
    '--share takes a file, and was given a share, which is now in the history of the shell',
    'Delete it there, and give the file, or - for stdin, or leave --share out and type it; a file of such a name as ./kts1….',
  );
}

/** Those that were read. */
export function sharesIn(given: readonly GivenShare[]): Secret[] {
  return given.flatMap(({ share }) => share ?? []);
}

/**
 * The shares in a text such as a sheet: each begins a line, and ends at an empty one or before the next. A text without
 * any is one that was mistyped.
 */
function printedIn(text: string): string[] {
  const found: string[] = [];
  let isOpen = false;
  for (const line of text.split(/\r\n|\r|\n/)) {
    if (SHARE.test(line)) {
      found.push(line);
      isOpen = true;
    } else if (line.trim() === '') isOpen = false;
    else if (isOpen) found[found.length - 1] += ` ${line}`;
  }
  return found.length === 0 ? [''] : found;
}

function shareIn(printed: string): Secret | null {
  try {
    return readPrintedShare(printed);
  } catch (error) {
    if (error instanceof CryptoError && error.code === 'mistyped-share') return null;
    throw error;
  }
}

async function typedShares({ passphrase, output }: Context): Promise<GivenShare[]> {
  const ask = passphrase.findPrompt();
  if (ask === null)
    throw usageError(
      'there is nobody to ask for shares',
      'Run it in a terminal, or give --share FILE, or --share - for stdin.',
    );
  const shares: GivenShare[] = [];
  for (let asked = 0; asked < MAX_TYPED; asked += 1) {
    const typed = await typeShare(ask, `Share ${shares.length + 1}, or return alone at the end:`);
    if (typed === null) break;
    if (typed.share === null) output.note('Mistyped, or no share: once more.');
    else shares.push(typed);
  }
  return shares;
}

/** One share as a person types it; `null` for return alone. */
export async function typeShare(
  ask: (question: string) => Promise<string>,
  question: string,
): Promise<GivenShare | null> {
  const typed = await ask(question);
  return typed.trim() === '' ? null : { from: 'typed', share: shareIn(typed) };
}
