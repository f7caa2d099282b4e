import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  encodeForkProof,
  noteKeyText,
  parseNote,
  verifyNote,
  logNoteKey,
  parseCheckpointText,
} from '@keytide/key-directory';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import jsQR from 'jsqr';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  checkpointAt,
  noteBy,
  otherWires,
  relay as lyingRelay,
  relayKey,
  wires,
} from '../../key-directory/test/evidence/case.ts';
import { EXIT } from '../src/exit-codes.ts';
import { runKeytide, type Finished, type Run } from './run-keytide.ts';

let folder: string;
let relay: Relay;

/** Runs a command on the device of `name`. */
function on(name: string, args: readonly string[], run: Run = {}): Promise<Finished> {
  const env = { KEYTIDE_HOME: join(folder, name), KEYTIDE_PASSPHRASE: 'correct horse battery' };
  return runKeytide(args, { ...run, env });
}

async function json(name: string, args: readonly string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await on(name, ['--json', ...args]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) as string) as Record<string, unknown>;
}

/** The exit code and the error's code of a command that is refused. */
async function refusal(name: string, args: readonly string[]): Promise<readonly [number | null, string]> {
  const { code, stderr } = await on(name, ['--json', ...args]);
  return [code, (JSON.parse(stderr) as { error: { code: string } }).error.code];
}

const inFolder = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide administration '));
  relay = await startRelay({ database: memoryDatabase(), port: 0, log: () => {} });
  await json('ada', ['org', 'create', '--relay', relay.url, '--name', 'ada']);
  for (const [name, role] of [
    ['bo', 'admin'],
    ['cy', 'member'],
  ] as const) {
    const { link } = await json('ada', ['invite', '--role', role]);
    await json(name, ['join', String(link), '--name', name]);
  }
});

afterAll(async () => {
  await relay?.close();
  await rm(folder, { recursive: true, force: true });
});

test('the newest checkpoint is printed as the relay signed it, and known offline', async () => {
  const { size, note } = await json('ada', ['directory', 'checkpoint']);
  const lines = (await on('ada', ['directory', 'checkpoint', '--offline'])).stdout;
  expect(lines).toBe(note);
  const signed = parseNote(new TextEncoder().encode(lines));
  const { origin, size: signedSize } = parseCheckpointText(signed.text);
  const health = (await (await fetch(`${relay.url}/v1/health`)).json()) as { key: string };
  const key = logNoteKey(origin, new Uint8Array(Buffer.from(health.key, 'base64url')));
  expect(verifyNote(primitives, signed, [key]).verified).toHaveLength(1);
  expect(signedSize).toBe(size);
  expect(signedSize).toBe(5);
});

describe('devices', () => {
  test('a lost phone is ended, and its person comes back with another, without a name', async () => {
    const { members } = (await json('ada', ['members'])) as {
      members: { handle: string; devices: string[] }[];
    };
    const lost = members.find(({ handle }) => handle === 'cy')?.devices[0] as string;
    expect(await refusal('ada', ['device', 'revoke', lost.slice(0, 8)])).toEqual([
      EXIT.usage,
      'not-confirmed',
    ]);
    expect(await json('ada', ['device', 'revoke', lost.slice(0, 8), '--yes'])).toMatchObject({
      revoked: lost,
    });
    expect(await on('cy', ['members'])).toMatchObject({ code: EXIT.refused });

    const { link } = await json('ada', ['device', 'invite', '--member', 'cy']);
    const { device } = await json('cy new', ['join', String(link)]);
    expect(await json('cy new', ['device', 'list'])).toEqual({
      devices: [
        expect.objectContaining({ id: lost, state: 'revoked', self: false }),
        expect.objectContaining({ id: device, state: 'active', self: true }),
      ],
    });
    expect(await refusal('cy newer', ['join', String(link)])).toEqual([EXIT.refused, 'login-refused']);
  });

  test('whoever knew this person sees that their devices changed, until the numbers are the same', async () => {
    const row = async (): Promise<string> =>
      /^cy .*$/m.exec((await on('bo', ['members'])).stdout)?.[0] ?? 'none';
    expect(await row()).toMatch(/changed$/);
    const { digits } = await json('cy new', ['compare', 'bo']);
    expect(await json('bo', ['compare', 'cy'])).toMatchObject({ digits, changed: true });
    const other = String(digits).replace(/\d/, (digit) => String((Number(digit) + 1) % 10));
    expect(await refusal('bo', ['compare', 'cy', '--same-as', other])).toEqual([
      EXIT.refused,
      'other-number',
    ]);
    expect(await row()).toMatch(/changed$/);
    await json('bo', ['compare', 'cy', '--same-as', String(digits)]);
    expect(await row()).not.toMatch(/changed$/);
  });

  test('an id that is none, or too short: exit code 2', async () => {
    for (const id of ['12345678', 'abc', 'x'.repeat(64)]) {
      expect(await refusal('ada', ['device', 'revoke', id, '--yes'])).toEqual([EXIT.usage, 'unknown-device']);
      expect(await refusal('ada', ['invite', 'revoke', id])).toEqual([EXIT.usage, 'unknown-invite']);
    }
  });
});

describe('invites', () => {
  test('are listed until they are used, and can be taken back', async () => {
    const { link } = await json('ada', ['invite']);
    const { invites } = (await json('ada', ['invite', 'list'])) as { invites: { id: string }[] };
    expect(invites).toMatchObject([{ lets: { in: 'member', role: 'member' }, expired: false }]);
    const id = invites[0]?.id as string;
    expect(await json('ada', ['invite', 'revoke', id.slice(0, 12)])).toEqual({ revoked: id });
    expect(await json('ada', ['invite', 'list'])).toEqual({ invites: [] });
    expect(await refusal('di', ['join', String(link), '--name', 'di'])).toEqual([
      EXIT.refused,
      'login-refused',
    ]);
  });

  test('a link for a new member wants a name: exit code 2, and the same link works with one', async () => {
    const { link } = await json('ada', ['invite']);
    expect(await refusal('eve', ['join', String(link)])).toEqual([EXIT.usage, 'handle-needed']);
    expect(await json('eve', ['join', String(link), '--name', 'eve'])).toMatchObject({
      org: expect.any(String),
    });
  });

  test('the QR code holds the link, and stays out of what a pipe gets', async () => {
    const { stdout, stderr } = await on('ada', ['device', 'invite', '--qr']);
    expect(stdout).toMatch(/^http\S+\n$/);
    expect(scanned(stderr)).toBe(stdout.trim());
  });
});

describe('what several admins decide', () => {
  test('starts with one of them saying so', async () => {
    await json('ada', ['policy', 'set', 'approvals.administration', '2']);
    await json('bo', ['role', 'eve', 'exporter']);
    expect(await json('bo', ['policy', 'show'])).toMatchObject({
      policy: { 'approvals.administration': '2', 'approvals.wipe': '1', block: '1d', lease: 'none' },
    });
  });

  test('then takes a proposal, an approval and its submission', async () => {
    expect(await refusal('ada', ['role', 'cy', 'admin'])).toEqual([EXIT.refused, 'approval-needed']);
    const key = ['archive-key', 'make', '--name', 'A', '--name', 'B', '--needed', '2'];
    expect(await refusal('ada', [...key, '--out', inFolder('key')])).toEqual([
      EXIT.refused,
      'approval-needed',
    ]);
    expect(await readdir(folder)).not.toContain('key');
    const proposal = inFolder('cy-admin');
    const approval = inFolder('cy-admin.bo');
    expect(await json('ada', ['role', 'cy', 'admin', '--propose', proposal])).toEqual({
      proposal,
      kind: 'role',
      approvals: 1,
    });
    expect(await refusal('ada', ['role', 'cy', 'admin', '--propose', proposal])).toEqual([
      EXIT.usage,
      'file-exists',
    ]);
    expect(await refusal('ada', ['submit', proposal])).toEqual([EXIT.refused, 'approval-needed']);
    expect(await refusal('bo', ['approve', proposal, '--out', approval])).toEqual([
      EXIT.usage,
      'not-confirmed',
    ]);
    const { stdout } = await on('bo', ['approve', proposal, '--out', approval, '--yes']);
    expect(stdout).toContain('ada proposes');
    expect(stdout).toContain('cy becomes admin');
    expect(await json('ada', ['submit', proposal, approval])).toMatchObject({ submitted: 'role' });
    const again = await json('bo', ['submit', proposal, approval]);
    expect(again).toEqual({ submitted: 'role', doneAt: expect.any(Number) });
    expect(await json('bo', ['approve', proposal, '--out', inFolder('late')])).toEqual(again);
    expect(await json('cy new', ['status'])).toMatchObject({ role: 'admin' });
  });

  test('an invite of an admin, whose link only the proposer has', async () => {
    expect(await refusal('ada', ['invite', '--role', 'admin'])).toEqual([EXIT.refused, 'approval-needed']);
    const proposal = inFolder('di-admin');
    const { code, stdout, stderr } = await on('ada', ['invite', '--role', 'admin', '--propose', proposal]);
    const link = stdout.trim();
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('keytide submit') });
    const approval = inFolder('di-admin.bo');
    expect(await json('bo', ['approve', proposal, '--out', approval, '--yes'])).toMatchObject({
      kind: 'invite',
      what: ['somebody is invited as admin'],
    });
    expect(await refusal('fay', ['join', link, '--name', 'fay'])).toEqual([EXIT.refused, 'login-refused']);
    expect(await json('bo', ['submit', proposal, approval])).toMatchObject({ submitted: 'invite' });
    await json('fay', ['join', link, '--name', 'fay']);
    expect(await json('fay', ['status'])).toMatchObject({ role: 'admin' });
  });

  test('an approval of something else, or a file that is neither: refused', async () => {
    const [lease, wider] = [inFolder('lease'), inFolder('wider')];
    await json('ada', ['policy', 'set', 'lease', '7d', '--propose', lease]);
    await json('ada', ['policy', 'set', 'retention', '40d', '--propose', wider]);
    const approval = inFolder('lease.bo');
    const { stdout } = await on('bo', ['approve', lease, '--out', approval, '--yes']);
    expect(stdout).toContain('lease: none → 7d');
    expect(await refusal('ada', ['submit', wider, approval])).toEqual([EXIT.refused, 'bad-signature']);
    expect(await refusal('ada', ['submit', lease, lease])).toMatchObject([EXIT.usage, expect.any(String)]);
    expect(await refusal('bo', ['approve', approval, '--out', inFolder('x'), '--yes'])).toEqual([
      EXIT.usage,
      'malformed',
    ]);
  });

  test('a wipe ends the devices of a member', async () => {
    expect(await refusal('ada', ['wipe', 'member', 'eve'])).toEqual([EXIT.usage, 'not-confirmed']);
    expect(await refusal('ada', ['wipe', 'member', '--yes'])).toEqual([EXIT.usage, 'usage']);
    await json('ada', ['wipe', 'member', 'eve', '--yes']);
    const [device] = (await json('ada', ['device', 'list', 'eve']))['devices'] as {
      id: string;
      state: string;
    }[];
    expect(device).toMatchObject({ state: 'wiped' });
    expect(await json('ada', ['wipe', 'status'])).toMatchObject({
      devices: [{ id: device?.id, destroyedMs: null }],
    });
    // Eve's device learns of it when it is used next.
    expect(await refusal('eve', ['send', 'hello'])).toEqual([EXIT.refused, 'wiped']);
    expect(await readdir(join(folder, 'eve'))).toEqual(['wiped']);
    const { devices } = await json('ada', ['wipe', 'status']);
    expect(devices).toMatchObject([{ id: device?.id, destroyedMs: expect.any(Number) }]);
    expect(await refusal('eve', ['status'])).toEqual([EXIT.refused, 'wiped']);
    expect(await on('eve', ['members'])).toMatchObject({ code: EXIT.refused });
  });
});

describe('evidence', () => {
  const size = wires.length;
  const [first, second] = [wires, otherWires].map((log) => noteBy(checkpointAt(log, size), lyingRelay));
  const proof = encodeForkProof(primitives, {
    kind: 'checkpoints',
    keys: [relayKey],
    first: first as Uint8Array,
    second: second as Uint8Array,
    olderRoot: null,
    consistency: [],
  });

  test('says what is proved and against whom, with no device and no relay', async () => {
    const path = inFolder('evidence');
    await writeFile(path, proof);
    const { code, stdout } = await runKeytide(['verify-evidence', path, '--json']);
    expect(code).toBe(EXIT.ok);
    expect(JSON.parse(stdout)).toMatchObject({
      proved: 'forked',
      against: [noteKeyText(primitives, relayKey)],
      refused: null,
    });
    expect((await runKeytide(['verify-evidence', path])).stdout).toContain(noteKeyText(primitives, relayKey));
  });

  test('that proves nothing: exit code 8; that is none: exit code 2', async () => {
    const altered = inFolder('altered');
    const at = Buffer.from(proof).lastIndexOf('— ') + 60;
    await writeFile(
      altered,
      proof.map((byte, i) => (i === at ? (byte === 0x41 ? 0x42 : 0x41) : byte)),
    );
    expect(await refusal('nobody', ['verify-evidence', altered])).toEqual([EXIT.notProved, 'proves-nothing']);
    const text = inFolder('text');
    await writeFile(text, 'the relay lies');
    expect(await refusal('nobody', ['verify-evidence', text])).toEqual([EXIT.usage, 'usage']);
    expect(await readFile(text, 'utf8')).toBe('the relay lies');
  });
});

/** What a camera would read from half blocks of text, dark letters on a light ground. */
function scanned(text: string): string | undefined {
  const rows = text
    .split('\n')
    .filter((line) => /^[█▀▄ ]+$/.test(line))
    .map((line) => [...line]);
  const scale = 4;
  const width = Math.max(...rows.map((row) => row.length)) * scale;
  const height = rows.length * 2 * scale;
  const pixels = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const half = Math.floor(y / scale);
      const character = rows[half >> 1]?.[Math.floor(x / scale)] ?? ' ';
      const isLit = character === '█' || character === (half % 2 === 0 ? '▀' : '▄');
      pixels.set(isLit ? [255, 255, 255, 255] : [0, 0, 0, 255], (y * width + x) * 4);
    }
  }
  // Its types say that the function is one level deeper than it is.
  return (jsQR as unknown as typeof jsQR.default)(pixels, width, height)?.data;
}
