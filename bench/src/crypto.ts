import { benchAttachmentMemory } from './crypto/attachment-memory.ts';
import { benchAttachment } from './crypto/attachment.ts';
import { benchBrowser } from './crypto/browser.ts';
import { benchFreshKey } from './crypto/fresh-key.ts';
import { benchHermes } from './crypto/hermes.ts';
import { benchImportCost } from './crypto/import-cost.ts';
import { benchOpenBacklog, benchOpenLive } from './crypto/open.ts';
import { benchSeal } from './crypto/seal.ts';
import { installPeers } from './peers.ts';
import type { BenchOptions, Row } from './rows.ts';

const WORKS: Readonly<Record<string, (options: BenchOptions) => Promise<Row[]>>> = {
  // First, while the heap is small: collecting garbage is most of what varies in them.
  'attachments of 64 MB': benchAttachment,
  'memory for attachments': benchAttachmentMemory,
  'a fresh key to 1,000 devices': benchFreshKey,
  'seal 1 KB': benchSeal,
  'open 1 KB, live': benchOpenLive,
  'open a backlog': benchOpenBacklog,
  Hermes: benchHermes,
  Chromium: benchBrowser,
  imports: benchImportCost,
};

/** The cryptography alone, against the best of its peers and against floors that no protocol can go below. */
export async function* benchCrypto(options: BenchOptions): AsyncGenerator<Row[]> {
  installPeers();
  for (const [title, bench] of Object.entries(WORKS)) {
    options.note(title);
    yield await bench(options);
  }
}
