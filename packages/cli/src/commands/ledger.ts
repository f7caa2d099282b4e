import { readSignedManifest, type GivenArchive, type RetentionLedger } from '@keytide/archive';
import { ledgerCsv, ledgerPage } from '@keytide/archive/formats';
import { readRetentionLedger } from '@keytide/client/export';
import { toHex, type OrgId } from '@keytide/crypto-core';
import { withArchive } from '../archive-place.ts';
import type { Context } from '../context.ts';
import { untilOnline, withDevice } from '../device.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { ledgerJson, ledgerLines } from '../ledger-view.ts';
import { writeNewFile } from '../new-file.ts';
import { checkArchive, refuseOtherOrg } from './verify.ts';

/** How closely archives are looked at, and where the ledger goes. */
export interface LedgerOptions {
  readonly quick?: true;
  readonly offline?: true;
  readonly all?: true;
  readonly html?: string;
  readonly csv?: string;
}

/** An archive that was given, and where it is. */
interface PlacedArchive extends GivenArchive {
  readonly path: string;
}

/** It has members' names. */
function writeForOwner(path: string, text: string): Promise<void> {
  return writeNewFile(path, new TextEncoder().encode(text), 0o600);
}

/** `keytide ledger`: what is due for export when, and what became of the rest. */
export async function showLedger(
  context: Context,
  paths: readonly string[],
  { quick, offline, all, html, csv }: LedgerOptions,
): Promise<ExitCode> {
  const { output } = context;
  return await withDevice(context, async (client) => {
    if (!offline) await untilOnline(context, client);
    const archives: PlacedArchive[] = [];
    for (const path of paths) archives.push(await givenArchive(context, path, client.org, quick === true));
    const ledger = await readRetentionLedger(client, { archives, offline: offline === true });
    if (html !== undefined) await writeForOwner(html, ledgerPage(ledger, { title: 'Retention ledger' }));
    if (csv !== undefined) await writeForOwner(csv, ledgerCsv(ledger));
    output.result(ledgerJson(ledger), ledgerLines(ledger, all === true));
    for (const note of adviceFor(ledger, archives)) output.note(note);
    if (!ledger.findings.some(({ weight }) => weight === 'alarm')) return EXIT.ok;
    output.note('Keep what --json prints: it has what was signed, which proves it to others.');
    return EXIT.alarm;
  });
}

async function givenArchive(
  context: Context,
  path: string,
  org: OrgId,
  quick: boolean,
): Promise<PlacedArchive> {
  return await withArchive(path, async (files) => {
    const report = await checkArchive(context, files, { org, quick });
    refuseOtherOrg(report, path);
    const { archive, verdict } = report;
    // One that says nothing is told as what it is: no archive.
    const signed = archive === null ? await readSignedManifest(files) : archive.manifest;
    return { path, signed, verdict, isWhole: !quick };
  });
}

/** The commands that do what is to be done. */
function adviceFor({ rows, archives }: RetentionLedger, given: readonly PlacedArchive[]): string[] {
  const pathOf = (place: number | undefined): string | undefined => {
    const id = place === undefined ? undefined : archives[place]?.id;
    return id && given.find(({ signed }) => toHex(signed.manifest.id) === toHex(id))?.path;
  };
  const untold = new Set(
    rows.flatMap(({ todo, archives: in_ }) => (todo === 'acknowledge' ? [pathOf(in_[0])] : [])),
  );
  const newest = archives.reduce(
    (best, { counts, throughSeq }, place) =>
      counts && throughSeq > (archives[best ?? -1]?.throughSeq ?? 0) ? place : best,
    undefined as number | undefined,
  );
  const since = pathOf(newest);
  const isDue = rows.some(({ todo }) => todo === 'export');
  return [
    ...(isDue
      ? [`Export what is due: \`keytide export FOLDER${since === undefined ? '' : ` --since ${since}`}\`.`]
      : []),
    ...[...untold].map((path) => `Run the command again that wrote ${path}: it tells the relay.`),
  ];
}
