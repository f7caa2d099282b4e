import type { Destination } from '@keytide/archive';
import { folderDestination, s3Destination, zipDestination } from '@keytide/archive/node';
import { encodeUtf8, Secret } from '@keytide/crypto-core';

/** Where an archive goes, as a process of its own is told. */
export type Place =
  | { readonly kind: 'folder' | 'zip'; readonly path: string }
  | {
      readonly kind: 'bucket';
      readonly bucket: string;
      readonly region: string;
      readonly endpoint: string;
      readonly prefix: string;
      /** Of a test's own service. */
      readonly caller: { readonly accessKeyId: string; readonly secretAccessKey: string };
    };

/** Works with a place, and closes what it opened. */
export async function withPlace<T>(place: Place, work: (files: Destination) => Promise<T>): Promise<T> {
  if (place.kind !== 'bucket') {
    if (place.kind === 'folder') return await work(folderDestination(place.path));
    const zip = zipDestination(place.path);
    try {
      return await work(zip);
    } finally {
      await zip.close();
    }
  }
  const { kind: _, caller, ...where } = place;
  const secretAccessKey = Secret.own(encodeUtf8(caller.secretAccessKey) as Uint8Array);
  const credentials = { accessKeyId: caller.accessKeyId, secretAccessKey, sessionToken: null };
  const limits = { idleMs: 5000, attempts: 3, pauseMs: 10 };
  return await work(s3Destination({ ...where, limits, credentials: async () => credentials }));
}
