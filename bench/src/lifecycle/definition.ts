import { defineOrganisation, sensitive, type Client, type Ports } from '@keytide/client';
import { nodePorts } from '@keytide/client/node';
import { z } from 'zod';

/** What the organisations of these measurements write. */
export const definition = defineOrganisation({ chat: sensitive.log(z.object({ text: z.string() })) });
export type App = Client<typeof definition>;

/** The machine's ports with a clock that can be set ahead, for absences that nobody waits for. */
export function leapingPorts(): { ports: Ports; leap(ms: number): void } {
  let leaptMs = 0;
  const clock = { ...nodePorts.clock, now: () => Date.now() + leaptMs };
  return { ports: { ...nodePorts, clock }, leap: (ms) => void (leaptMs += ms) };
}
