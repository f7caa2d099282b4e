/* oxlint-disable oxc/no-async-endpoint-handlers -- that rule is about Express; Fastify awaits its handlers */
import { toBase64Url, type OrgId } from '@keytide/crypto-core';
import {
  collectionName,
  documentId,
  documentPutRequest,
  documentsQuery,
  systemPutRequest,
  writers,
} from '@keytide/relay-protocol';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Gate } from './gate.ts';
import type { OrgData } from './org-data.ts';
import { parsed } from './parsed.ts';

/** What the routes of an organisation's data work with. */
export interface DataRoutesOptions {
  readonly data: Pick<OrgData, 'put' | 'list' | 'putSystem'>;
  readonly gate: Gate;
  /** Tells the organisation's devices that there is something new. */
  readonly hint: (org: OrgId) => void;
}

const ORG = '/v1/organisations/:org';
const collectionParams = z.object({ writers, collection: collectionName });
const documentParams = z.object({ writers, collection: collectionName, id: documentId });
const systemParams = z.object({ collection: collectionName });

/** Documents of an organisation, and what its devices tell the relay alone (docs/spec/data.md). */
export function addDataRoutes(app: FastifyInstance, { data, gate, hint }: DataRoutesOptions): void {
  app.put(`${ORG}/data/:writers/:collection/:id`, async (request) => {
    const place = parsed(documentParams, request.params);
    const { org } = await (place.writers === 'admins' ? gate.admin(request) : gate.device(request));
    const { body, ifVersion } = parsed(documentPutRequest, request.body);
    const version = await data.put({ org, ...place }, body, ifVersion);
    hint(org);
    return { version };
  });

  app.get(`${ORG}/data/:writers/:collection`, async (request) => {
    const { org } = await gate.device(request);
    const { after } = parsed(documentsQuery, request.query);
    const page = await data.list({ org, ...parsed(collectionParams, request.params) }, after);
    const documents = page.documents.map(({ id, version, body }) => ({
      id,
      version,
      body: body && toBase64Url(body),
    }));
    return { ...page, documents };
  });

  app.put(`${ORG}/system/:collection`, async (request) => {
    const { org, device } = await gate.device(request);
    const { collection } = parsed(systemParams, request.params);
    const { body } = parsed(systemPutRequest, request.body);
    await data.putSystem({ org, device: device.id, collection }, body);
    return {};
  });
}
