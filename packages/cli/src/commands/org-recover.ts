import { ClientError, recoverOrganisation } from '@keytide/client';
import { fromHex, memberId, orgId, Secret, type MemberId, type OrgId } from '@keytide/crypto-core';
import {
  DirectoryError,
  originOf,
  parseCheckpointText,
  parseNote,
  type Checkpoint,
  type Policy,
} from '@keytide/key-directory';
import type { Context } from '../context.ts';
import { untilOnline, withNewDevice } from '../device.ts';
import { readFileBytes } from '../file-bytes.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { changedPolicy } from '../policy-keys.ts';
import { relayOrigin } from '../relay-origin.ts';
import { readStdinText } from '../stdin-text.ts';
import { usageError } from '../usage.ts';

interface RecoverOptions {
  readonly relay: string;
  readonly org: string;
  readonly name: string;
  readonly seedFile: string;
  readonly remove: readonly string[];
  readonly nextKey?: string;
  readonly checkpoint?: string;
}

const MAX_SEED_FILE_BYTES = 1024;
const MAX_CHECKPOINT_FILE_BYTES = 16 * 1024;

/** `keytide org recover`: this device comes in as a new admin's, by the recovery key of the policy. */
export async function recoverOrg(context: Context, options: RecoverOptions): Promise<void> {
  const relayUrl = relayOrigin(options.relay);
  const org = orgOf(options.org);
  const removed = options.remove.map(memberOf);
  const known = options.checkpoint === undefined ? {} : { anchor: await anchorFrom(options.checkpoint, org) };
  const seed = await seedFrom(options.seedFile);
  const policy = (old: Policy): Policy => afterRecovery(old, options.nextKey);
  try {
    await withNewDevice(
      context,
      (rest) =>
        recoverOrganisation({
          ...rest,
          ...known,
          relayUrl,
          org,
          seed,
          handle: options.name,
          policy,
          removed,
        }),
      async (client) => {
        await untilOnline(context, client);
        const { device, member } = client;
        context.output.result({ org, device, member, relay: client.relayUrl, removed }, [
          `recovered organisation ${org}`,
          `this device            ${device}`,
          `members                ${client.members().length}`,
        ]);
        context.output.note('The recovery key is spent, and no act takes approvals or witnesses now.');
        context.output.note(
          'Next: `keytide members` and `keytide policy show`: who and what must not stay as it is?',
        );
      },
    );
  } catch (error) {
    throw error instanceof ClientError && error.relayCode === 'login-refused' ? keyRefused(error) : error;
  } finally {
    seed.dispose();
  }
}

/** The advice of other logins, to ask an admin, helps nobody who has none. */
function keyRefused({ message }: ClientError): CliError {
  const next =
    'Compare --relay and --org with what a member has in `keytide status`, and the file: a recovery key works once, and only while `keytide policy show` names it.';
  return new CliError('login-refused', EXIT.refused, message, next);
}

/** A spent key cannot stay, and whoever comes in alone has nobody who could approve or witness. */
function afterRecovery(old: Policy, nextKey: string | undefined): Policy {
  const { recoveryKey: _spent, approvals: _approvals, witnesses: _witnesses, ...rest } = old;
  return nextKey === undefined ? rest : changedPolicy(rest, 'recovery-key', nextKey);
}

/** As `keytide org recovery-key` writes it: 64 hex digits. */
async function seedFrom(path: string): Promise<Secret> {
  const text =
    path === '-'
      ? await readStdinText(MAX_SEED_FILE_BYTES)
      : new TextDecoder().decode(await readFileBytes(path, MAX_SEED_FILE_BYTES));
  const bytes = fromHex(text.trim());
  if (bytes?.length !== 32)
    throw usageError(
      'not the secret half of a recovery key',
      'Give the file that `keytide org recovery-key` wrote.',
    );
  return Secret.own(bytes);
}

/** As `keytide directory checkpoint` prints it. The log must pass through it, whoever has signed it. */
async function anchorFrom(path: string, org: OrgId): Promise<Checkpoint> {
  const bytes = await readFileBytes(path, MAX_CHECKPOINT_FILE_BYTES);
  try {
    const { origin, size, root } = parseCheckpointText(parseNote(bytes).text);
    if (origin === originOf(org)) return { size, root };
  } catch (error) {
    if (!(error instanceof DirectoryError)) throw error;
  }
  throw usageError(
    'not a checkpoint of this organisation',
    'Give what `keytide directory checkpoint` printed on the device of any member.',
  );
}

function orgOf(text: string): OrgId {
  if (/^[0-9a-f]{64}$/.test(text)) return orgId(text);
  throw usageError('--org is not the id of an organisation', 'Any member sees it with `keytide status`.');
}

function memberOf(text: string): MemberId {
  if (/^[0-9a-f]{32}$/.test(text)) return memberId(text);
  throw usageError('--remove takes ids of members', 'Any member sees them with `keytide members --json`.');
}
