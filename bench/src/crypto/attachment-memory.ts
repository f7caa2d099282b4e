import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { comparedRow, plainRow, type BenchOptions, type Row } from '../rows.ts';

const SIZE_BYTES = 64 * 2 ** 20;
const LIMIT_MB = 40;
const MAIN = fileURLToPath(new URL('attachment-memory-main.ts', import.meta.url));

/** How much a process grows while it encrypts a file of 64 MB into another, and decrypts that. */
export async function benchAttachmentMemory({ quick }: BenchOptions): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'keytide-bench-'));
  try {
    writeFileSync(join(folder, 'content'), randomBytes(SIZE_BYTES));
    return ['encrypt', 'decrypt'].map((act) => {
      const work = `${act} an attachment of 64 MB: memory`;
      const samples = Array.from({ length: quick ? 1 : 5 }, () => {
        const args = ['--expose-gc', MAIN, folder, act];
        return Number(execFileSync(process.execPath, args, { encoding: 'utf8' })) / 1e6;
      });
      const row = plainRow({ bench: 'crypto', work, n: 64, unit: 'MB more' }, samples);
      return comparedRow(row, `${LIMIT_MB} MB`, LIMIT_MB / row.value, 1);
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
