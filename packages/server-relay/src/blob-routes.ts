/* oxlint-disable oxc/no-async-endpoint-handlers -- that rule is about Express; Fastify awaits its handlers */
import { blobId, blobReadQuery, blobStartRequest, blobWriteQuery, LIMITS } from '@keytide/relay-protocol';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Blobs } from './blobs.ts';
import { RelayError } from './errors.ts';
import type { Gate } from './gate.ts';
import { parsed } from './parsed.ts';

const PATH = '/v1/organisations/:org/blobs/:blob';
const params = z.object({ blob: blobId });

/** Uploads and downloads of ciphertext (docs/spec/attachment.md). */
export function addBlobRoutes(app: FastifyInstance, { blobs, gate }: { blobs: Blobs; gate: Gate }): void {
  app.addContentTypeParser(
    'application/octet-stream',
    { parseAs: 'buffer', bodyLimit: LIMITS.blobPieceBytes },
    (_request, body, done) => done(null, body),
  );

  app.post(PATH, async (request, reply) => {
    const { org, device } = await gate.device(request);
    const { blob: id } = parsed(params, request.params);
    const { sizeBytes } = parsed(blobStartRequest, request.body);
    return reply.code(201).send({ receivedBytes: await blobs.start({ org, id }, device, sizeBytes) });
  });

  app.put(
    PATH,
    {
      bodyLimit: LIMITS.blobPieceBytes,
      // Before the body is read: nobody else's megabyte is taken in.
      onRequest: async (request) => void (await gate.device(request)),
    },
    async (request) => {
      const { org, device } = await gate.device(request);
      const { blob: id } = parsed(params, request.params);
      const { offset } = parsed(blobWriteQuery, request.query);
      if (!(request.body instanceof Uint8Array)) throw new RelayError('malformed', 'a blob is bytes');
      return { receivedBytes: await blobs.write({ org, id }, device.id, offset, request.body) };
    },
  );

  app.get(PATH, async (request, reply) => {
    const { org, state } = await gate.device(request);
    const { blob: id } = parsed(params, request.params);
    const { offset, sizeBytes } = parsed(blobReadQuery, request.query);
    const bytes = await blobs.read({ org, id }, state.policy, offset, sizeBytes);
    return reply.type('application/octet-stream').send(Buffer.from(bytes));
  });
}
