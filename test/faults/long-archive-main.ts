/** One thing that is done with an archive of a long log, as a process of its own: its memory is told. */
import v8 from 'node:v8';
import {
  exportArchive,
  hybridIdentity,
  readArchive,
  verifyArchive,
  type SourceEntry,
} from '@keytide/archive';
import { folderDestination } from '@keytide/archive/node';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import { archiveKey } from '../sync/archived.ts';
import { givenArgument, say } from './parent.ts';

/** What is done, with which archive. */
export interface LongArchive {
  readonly act: 'export' | 'verify' | 'read';
  readonly folder: string;
  readonly messages: number;
  readonly attachmentBytes: number;
}

// As in the CLI.
v8.setFlagsFromString('--semi-space-growth-factor=1');
const { act, folder, messages, attachmentBytes } = givenArgument<LongArchive>();
const files = folderDestination(folder);
const identities = [hybridIdentity(primitives, archiveKey)];
/** What is held before something is done, and when nearly all of it is. */
const held = new Map<string, { readonly early: number; readonly late: number | null }>();

/** Looks where garbage can be collected at will, from this share on: what is made once, such as code, is no growth. */
function look(phase: string, done: number, total: number, from = 0.25): void {
  const { gc } = globalThis as { gc?: () => void };
  const seen = held.get(phase);
  if (gc === undefined || done / total < (seen === undefined ? from : 0.95) || typeof seen?.late === 'number')
    return;
  // The memory of buffers is given back with the next collection.
  for (let round = 0; round < 3; round += 1) gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  const bytes = heapUsed + arrayBuffers;
  held.set(phase, seen === undefined ? { early: bytes, late: null } : { ...seen, late: bytes });
}

async function exportLong(): Promise<number> {
  // Not for the others: it brings a relay with it.
  const { longLog } = await import('@keytide/testkit');
  const source = longLog({ seed: 'a long archive', messages, attachments: [attachmentBytes] });
  const { id, signer } = source.world.members[0].devices[0];
  const { signed } = await exportArchive({
    ...{ primitives, random, source, destination: files, now: () => Date.UTC(2031, 0, 1) },
    exporter: { device: id, signer },
    recipients: [archiveKey.publicKey],
    onProgress: ({ phase, done, total }) => look(phase, done, total),
  });
  return signed.manifest.groups[0]?.messages ?? 0;
}

async function verify(): Promise<number> {
  const onProgress = ({ level, done, total }: { level: string; done: number; total: number }) =>
    look(level, done, total, 0);
  // In the middle of it, it holds up to a window of messages, so it is made warm by a part of them before.
  await verifyArchive({
    primitives,
    files,
    identities,
    sample: { fraction: Math.min(1, 3_000 / messages), seed: '' },
  });
  const { verdict, findings, groups } = await verifyArchive({ primitives, files, identities, onProgress });
  if (verdict !== 'sound' || findings.length > 0) throw new Error(JSON.stringify(findings));
  return groups[0]?.messages ?? 0;
}

async function read(): Promise<number> {
  const { groups, entries, source } = await readArchive({ primitives, files, identities });
  let [seen, sizeBytes] = [0, 0];
  let named: Extract<SourceEntry, { kind: 'message' }>['attachments'] = [];
  for (const { group } of groups)
    for await (const entry of entries(group)) {
      if (entry.kind !== 'message') continue;
      if (entry.attachments.length > 0) named = entry.attachments;
      seen += 1;
      if (seen % 64 === 0) look('entries', seen, messages);
    }
  for (const one of named)
    for await (const piece of source.attachment(one)) {
      sizeBytes += piece.length;
      if (sizeBytes % 64 === 0) look('attachment', sizeBytes, attachmentBytes);
    }
  if (sizeBytes !== attachmentBytes) throw new Error(`${sizeBytes} bytes of an attachment`);
  return seen;
}

const startMs = performance.now();
const seen = await { export: exportLong, verify, read }[act]();
const growth = [...held.values()].map(({ early, late }) => (late ?? early) - early);
say('done', {
  seen,
  seconds: (performance.now() - startMs) / 1_000,
  peakBytes: process.resourceUsage().maxRSS * 1024,
  growthBytes: Math.max(0, ...growth),
});
