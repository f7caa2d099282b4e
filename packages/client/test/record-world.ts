import { defineOrganisation, sensitive, type RecordDeclaration } from '../src/index.ts';
import type { Operation } from '../src/operation.ts';
import type { Origin } from '../src/origin.ts';
import { RecordCollection } from '../src/record-collection.ts';
import { z } from 'zod';

/** Members, each with a device of the same first letter. */
export const ADA: string = 'a'.repeat(32);
export const BO: string = 'b'.repeat(32);
export const CY: string = 'c'.repeat(32);

export const schema: z.ZodObject<{
  title: z.ZodString;
  status: z.ZodEnum<{ open: 'open'; done: 'done' }>;
  note: z.ZodOptional<z.ZodString>;
}> = z.object({ title: z.string().min(1), status: z.enum(['open', 'done']), note: z.string().optional() });

/** Members report; admins say when it is done; whoever reported it words it. */
export const definition: { readonly requests: RecordDeclaration<z.infer<typeof schema>> } =
  defineOrganisation({
    requests: sensitive.record(schema, {
      create: ['member'],
      edit: { status: ['admin'], note: ['owner'] },
    }),
  });

/** A record's id, of this owner. */
export function idOf(owner: string, number: number): string {
  return String(number).padStart(32, '0') + owner;
}

/** An operation and where it comes from. */
export interface Sent {
  readonly operation: Operation;
  readonly origin: Origin;
}

/** The collection alone, as a member of this role has it; what it submits is kept. */
export function openRequests(member: string, role: Origin['role']) {
  const submitted: Omit<Operation, 'time'>[] = [];
  let drawn = 0;
  const collection = new RecordCollection(definition.requests, {
    name: 'requests',
    submit: async (operations) => void submitted.push(...operations),
    random: (sizeBytes) => new Uint8Array(sizeBytes).fill((drawn += 1)),
    author: () => ({ member, role, device: `${member.slice(0, 1)}1` }),
  });
  return { collection, submitted };
}

let seq = 0;

/** An operation of a member with this role; later than those before. */
export function sentBy(
  member: string,
  role: Origin['role'],
  operation: Pick<Operation, 'act' | 'item' | 'body'>,
): Sent {
  seq += 1;
  const time = { ms: seq, counter: 0 };
  return {
    operation: { collection: 'requests', time, ...operation },
    origin: { seq, epoch: 1, device: member.slice(0, 1), member, role, handle: '', timeMs: seq },
  };
}
