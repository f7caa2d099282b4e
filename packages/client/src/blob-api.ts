import { blobProgressResponse } from '@keytide/relay-protocol';
import { ClientError } from './errors.ts';
import { bytesWithin, type RelayApi } from './relay-api.ts';

/** The relay's blobs, as one device uses them (docs/spec/attachment.md). */
export interface BlobApi {
  /** Starts or goes on with an upload; how many bytes are safe. @throws ClientError `relay-refused` */
  start(blob: string, sizeBytes: number): Promise<number>;
  /** Sends the bytes from `offset` on; how many bytes are safe then. @throws ClientError `relay-refused` */
  write(blob: string, offset: number, bytes: Uint8Array): Promise<number>;
  /** At most so many bytes from `offset` on. @throws ClientError `attachment-gone` */
  read(blob: string, offset: number, sizeBytes: number): Promise<Uint8Array>;
}

/** Blobs by the routes of a relay. */
export function blobApi(api: Pick<RelayApi, 'call'>): BlobApi {
  return {
    start: async (blob, sizeBytes) =>
      (await api.call('POST', `/blobs/${blob}`, blobProgressResponse, { sizeBytes })).receivedBytes,
    write: async (blob, offset, bytes) =>
      (await api.call('PUT', `/blobs/${blob}?offset=${offset}`, blobProgressResponse, bytes)).receivedBytes,
    async read(blob, offset, sizeBytes) {
      try {
        const path = `/blobs/${blob}?offset=${offset}&sizeBytes=${sizeBytes}`;
        return await api.call('GET', path, bytesWithin(sizeBytes));
      } catch (error) {
        if (!(error instanceof ClientError) || error.relayCode !== 'no-blob') throw error;
        throw new ClientError('attachment-gone', 'the relay does not have this attachment, or not any more', {
          cause: error,
        });
      }
    },
  };
}
