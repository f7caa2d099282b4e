import { createRequire } from 'node:module';

type Sodium = typeof import('libsodium-wrappers');

/** libsodium, the independent implementation that ours is compared with. */
export async function loadSodium(): Promise<Sodium> {
  const loaded = createRequire(import.meta.url)('libsodium-wrappers') as Sodium & { default?: Sodium };
  await loaded.ready;
  return loaded.default ?? loaded;
}
