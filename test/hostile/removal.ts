import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { createRemoveMember, replay } from '@keytide/key-directory';
import { burgle } from './loot.ts';
import { rawAppend } from './raw-session.ts';
import { now } from './noon-ports.ts';
import type { Person, Stage } from './stage.ts';

/** Takes a person out of the organisation, by the rules. */
export async function remove({ hostile }: Stage, admin: Person, person: Person): Promise<void> {
  const { signer, wires, device } = await burgle(admin);
  const { org, member } = person.client;
  const state = replay(primitives, wires);
  const wire = createRemoveMember({ primitives, state, signer, nowMs: now(), member });
  const login = { url: hostile.url, relayName: hostile.url, org, signer };
  const { status } = await rawAppend({ ...login, subject: { kind: 'device', id: device } }, wire);
  if (status !== 201) throw new Error(`the relay refused the removal with ${status}`);
}
