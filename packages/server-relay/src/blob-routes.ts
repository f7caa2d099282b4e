import {
  blobId,
  blobProgressResponse,
  blobReadQuery,
  blobStartRequest,
  blobWriteQuery,
  LIMITS,
} from '@keytide/relay-protocol';
import { z } from 'zod';
import type { Blobs } from './blobs.ts';
import type { Routes } from './create-routes.ts';
import { rawBytes } from './route.ts';

const path = '/v1/organisations/:org/blobs/:blob';
const params = z.object({ blob: blobId });

/** Uploads and downloads of ciphertext (docs/spec/attachment.md). */
export function addBlobRoutes(routes: Routes, { blobs }: { blobs: Blobs }): void {
  routes.add(
    {
      method: 'post',
      path,
      who: 'device',
      summary: 'Begins an upload, or says how far it has come',
      params,
      body: blobStartRequest,
      answer: blobProgressResponse,
      status: 201,
      refusals: ['blob-taken', 'quota-exceeded'],
    },
    async ({ caller: { org, device }, params: { blob: id }, body: { sizeBytes } }) => ({
      receivedBytes: await blobs.start({ org, id }, device, sizeBytes),
    }),
  );

  routes.add(
    {
      method: 'put',
      path,
      who: 'device',
      summary: 'Hands in bytes of an upload',
      params,
      query: blobWriteQuery,
      body: rawBytes,
      bodyBytes: LIMITS.blobPieceBytes,
      answer: blobProgressResponse,
      refusals: ['no-blob', 'wrong-offset', 'blob-taken'],
    },
    async ({ caller: { org, device }, params: { blob: id }, query: { offset }, body }) => ({
      receivedBytes: await blobs.write({ org, id }, device.id, offset, body),
    }),
  );

  routes.add(
    {
      method: 'get',
      path,
      who: 'device',
      summary: 'Bytes of a blob that is whole',
      params,
      query: blobReadQuery,
      answer: rawBytes,
      refusals: ['no-blob'],
    },
    ({ caller: { org, state }, params: { blob: id }, query: { offset, sizeBytes } }) =>
      blobs.read({ org, id }, state.policy, offset, sizeBytes),
  );
}
