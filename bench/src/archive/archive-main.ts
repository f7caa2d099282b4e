/** A process of its own for an archive of any length, so that its memory can be told: a `Task`; prints what it took. */
import {
  exportArchive,
  hybridIdentity,
  readArchive,
  verifyArchive,
  type ExportSource,
  type Finding,
} from '@keytide/archive';
import { folderDestination } from '@keytide/archive/node';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import type { LongLog } from '@keytide/testkit';
import type { Task, Took } from './apart.ts';

const key = primitives.decapsulator(new Uint8Array(32).fill(0x5e));
const identities = [hybridIdentity(primitives, key)];
const task = JSON.parse(process.argv[2] as string) as Task;
const { folder } = task;
const files = folderDestination(folder);

/** Loaded by whom it is needed: it brings a relay with it, which nobody starts who verifies. */
async function log(messages: number, attachments: readonly number[]): Promise<LongLog> {
  const { longLog } = await import('@keytide/testkit');
  return longLog({ seed: 'bench', messages, attachments });
}

async function exportFrom(source: ExportSource): Promise<number> {
  const { id, signer } = (await log(0, [])).world.members[0].devices[0];
  const { signed } = await exportArchive({
    ...{ primitives, random, source, destination: files, now: () => Date.now() },
    ...{ exporter: { device: id, signer }, recipients: [key.publicKey] },
  });
  return signed.manifest.files.sizeBytes;
}

async function verify(isOpened: boolean): Promise<number> {
  const report = await verifyArchive({ primitives, files, ...(isOpened && { identities }) });
  const said = (findings: readonly Finding[]): string => findings.map(({ code }) => code).join(' ');
  if (report.verdict !== 'sound') throw new Error(`not sound: ${said(report.findings)}`);
  return report.files.sizeBytes;
}

async function work(): Promise<number> {
  if (task.act === 'make') return exportFrom(await log(task.messages, task.attachments));
  if (task.act === 'verify') return verify(task.isOpened);
  const { source } = await readArchive({ primitives, files: folderDestination(task.from), identities });
  return exportFrom(source);
}

const startMs = performance.now();
const sizeBytes = await work();
const took: Took = {
  ms: performance.now() - startMs,
  sizeBytes,
  peakBytes: process.resourceUsage().maxRSS * 1024,
};
console.log(JSON.stringify(took));
