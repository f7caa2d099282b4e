import {
  defineOrganisation,
  sensitive,
  type Client,
  type LogDeclaration,
  type OrgDeclaration,
  type RecordDeclaration,
} from '@keytide/client';
import { releases, type ReleaseDocument } from '@keytide/client/aggregates';
import { z } from 'zod';

/** How far a request has come. */
const STATUSES = ['open', 'assigned', 'done'] as const;

const chatMessage: z.ZodObject<{ text: z.ZodString }> = z.object({ text: z.string().min(1).max(4000) });

/**
 * A request for help. Everything but the title may be missing in the source: empty text, or `null` for a
 * coordinate. No defaults here: a default would also fill the fields that an edit leaves out.
 */
export const requestSchema: z.ZodObject<{
  lat: z.ZodNullable<z.ZodNumber>;
  lng: z.ZodNullable<z.ZodNumber>;
  title: z.ZodString;
  reportedAt: z.ZodString;
  township: z.ZodString;
  address: z.ZodString;
  status: z.ZodEnum<{ open: 'open'; assigned: 'assigned'; done: 'done' }>;
  note: z.ZodOptional<z.ZodString>;
}> = z.object({
  /** Degrees, WGS 84. */
  lat: z.number().min(-90).max(90).nullable(),
  lng: z.number().min(-180).max(180).nullable(),
  title: z.string().min(1).max(300),
  /** As the source writes it; local time, often to the minute. */
  reportedAt: z.string().max(40),
  township: z.string().max(200),
  address: z.string().max(500),
  status: z.enum(STATUSES),
  note: z.string().max(2000).optional(),
});

/** A line of chat. */
export type ChatMessage = z.infer<typeof chatMessage>;

/** A request for help, as every member's device holds it. */
export type HelpRequest = z.infer<typeof requestSchema>;

/**
 * What every `keytide` command works on: one chat and the requests, both end-to-end encrypted; and the anonymous numbers
 * that are published, which the relay reads too.
 */
export const organisation: {
  readonly chat: LogDeclaration<ChatMessage>;
  readonly requests: RecordDeclaration<HelpRequest>;
  readonly releases: OrgDeclaration<ReleaseDocument>;
} = defineOrganisation({
  chat: sensitive.log(chatMessage),
  requests: sensitive.record(requestSchema),
  releases: releases(),
});

/** A device of an organisation as every `keytide` command opens it. */
export type Keytide = Client<typeof organisation>;
