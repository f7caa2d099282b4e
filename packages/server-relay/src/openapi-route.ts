import { z } from 'zod';
import type { Routes } from './create-routes.ts';
import { openApiOf } from './openapi.ts';

/** The description of all routes, of this one too. */
export function addOpenApiRoute(routes: Routes, version: string): void {
  let description: object | null = null;
  routes.add(
    {
      method: 'get',
      path: '/v1/openapi.json',
      who: 'stranger',
      summary: 'This description',
      answer: z.looseObject({ openapi: z.literal('3.1.1') }),
    },
    () => (description ??= openApiOf(routes.list(), version)),
  );
}
