import fc from 'fast-check';
import { admits } from './acts.ts';
import { foundCrew, present } from './crew.ts';
import { deeds } from './steps.ts';
import type { Office, User } from './office.ts';

/** As `walk`, with real clients and a real relay; answers how many epochs and messages passed. */
export async function walkWithClients(
  office: Office,
  { runs, commands }: { runs: number; commands: number },
): Promise<{ epochs: number; messages: number }> {
  const seen = { epochs: 0, messages: 0 };
  const seed = Number(process.env['KEYTIDE_SEED'] ?? 20_300_102);
  const path = process.env['KEYTIDE_PATH'];
  const property = fc.asyncProperty(
    fc.commands([fc.oneof(...deeds)], { maxCommands: commands, size: 'max' }),
    async (steps) => {
      const crew = await foundCrew(office);
      try {
        const [founder] = present(crew);
        for (const role of ['admin', 'member', 'exporter'] as const)
          await admits(crew, founder as User, { role });
        await fc.asyncModelRun(() => ({ model: {}, real: crew }), steps);
      } finally {
        seen.epochs += crew.statements.length;
        seen.messages += crew.envelopes.size;
        office.hostile.relent();
        for (const { client } of crew.users.values()) await client.close();
      }
    },
  );
  await fc.assert(property, {
    seed,
    numRuns: runs,
    // What clients do takes real time, and half a minute where it fails by not happening.
    endOnFailure: true,
    ...(path === undefined ? {} : { path }),
  });
  return seen;
}
