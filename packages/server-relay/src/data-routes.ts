import { toBase64Url, type OrgId } from '@keytide/crypto-core';
import {
  collectionName,
  documentId,
  documentPutRequest,
  documentPutResponse,
  documentsQuery,
  documentsResponse,
  systemPutRequest,
  systemPutResponse,
} from '@keytide/relay-protocol';
import { z } from 'zod';
import type { Routes } from './create-routes.ts';
import type { OrgData } from './org-data.ts';

/** What the routes of an organisation's data work with. */
export interface DataRoutesOptions {
  readonly data: Pick<OrgData, 'put' | 'list' | 'putSystem'>;
  /** Tells the organisation's devices that there is something new. */
  readonly hint: (org: OrgId) => void;
}

const ORG = '/v1/organisations/:org';
const collectionParams = z.object({ collection: collectionName });
const documentParams = z.object({ collection: collectionName, id: documentId });

/** Documents of an organisation, and what its devices tell the relay alone (docs/spec/data.md). */
export function addDataRoutes(routes: Routes, { data, hint }: DataRoutesOptions): void {
  for (const [writers, who] of [
    ['members', 'device'],
    ['admins', 'admin'],
  ] as const) {
    routes.add(
      {
        method: 'put',
        path: `${ORG}/data/${writers}/:collection/:id`,
        who,
        summary: `Writes or removes a document that ${writers} may write`,
        params: documentParams,
        body: documentPutRequest,
        answer: documentPutResponse,
        refusals: ['version-conflict', 'quota-exceeded'],
      },
      async ({ caller: { org }, params, body: { body, ifVersion } }) => {
        const version = await data.put({ org, writers, ...params }, body, ifVersion);
        hint(org);
        return { version };
      },
    );

    routes.add(
      {
        method: 'get',
        path: `${ORG}/data/${writers}/:collection`,
        who: 'device',
        summary: `Documents that ${writers} may write, by the order of their newest version`,
        params: collectionParams,
        query: documentsQuery,
        answer: documentsResponse,
      },
      async ({ caller: { org }, params: { collection }, query: { after } }) => {
        const page = await data.list({ org, writers, collection }, after);
        const documents = page.documents.map(({ id, version, body }) => ({
          id,
          version,
          body: body && toBase64Url(body),
        }));
        return { ...page, documents };
      },
    );
  }

  routes.add(
    {
      method: 'put',
      path: `${ORG}/system/:collection`,
      who: 'device',
      summary: "Sets or clears the calling device's value, for the relay alone",
      params: collectionParams,
      body: systemPutRequest,
      answer: systemPutResponse,
    },
    async ({ caller: { org, device }, params: { collection }, body: { body } }) => {
      await data.putSystem({ org, device: device.id, collection }, body);
      return {};
    },
  );
}
