import { printShare, toHex, type QuorumSet, type Secret } from '@keytide/crypto-core';
import { displayWidth } from './display-width.ts';

/** The signed set, for everyone. */
export const SET_FILE = 'archive-key.set';

const COLUMNS = 78;
/** 15 groups of four and the spaces between them: a share takes two lines. */
const SHARE_LINE = 74;

/** What one holder is given, to print: their share, and what it is for. As secret as the share. */
export function shareSheet(set: QuorumSet, index: number, share: Secret): string {
  const { org, fingerprint, hash, threshold, holders, createdMs } = set;
  const { name } = holders[index - 1] as QuorumSet['holders'][number];
  const printed = printShare(share);
  const others = holders.map((holder) => holder.name).join(', ');
  return [
    `KEYTIDE, ARCHIVE KEY: SHARE ${index} OF ${holders.length}, FOR ${name}`,
    '',
    printed.slice(0, SHARE_LINE),
    printed.slice(SHARE_LINE + 1),
    '',
    ...wrapped(
      `Any ${threshold} of ${holders.length} holders together open the archives of their organisation. One alone opens nothing. The holders: ${others}.`,
    ),
    '',
    `Organisation  ${org}`,
    `Key           ${toHex(fingerprint)}`,
    `Set           ${toHex(hash)}`,
    `Dealt         ${new Date(createdMs).toISOString().slice(0, 10)}`,
    '',
    ...wrapped(
      'Keep this sheet secret, and apart from the others. Give it to nobody: read it out, or type it, only where the holders have come together. Capitals, spaces and line ends do not matter; a mistyped character is noticed.',
    ),
    '',
    ...wrapped(
      `To open an archive: \`keytide recover\`, on any machine that has the archive. To see from time to time whether this share is still good: \`keytide archive-key drill\` with the file ${SET_FILE} that every holder has; without a device of the organisation add --no-device and --fingerprint with the digits of "Key" above.`,
    ),
    '',
    ...wrapped(
      'When another set takes the place of this one, destroy this sheet. Until then it still counts.',
    ),
    '',
  ].join('\n');
}

function wrapped(text: string): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) as string;
    const longer = line === '' ? word : `${line} ${word}`;
    if (line === '' || displayWidth(longer) <= COLUMNS) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
