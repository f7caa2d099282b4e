import { ClientError } from '@keytide/client';
import { CryptoError } from '@keytide/crypto-core';
import { DirectoryError } from '@keytide/key-directory';
import { RelayError } from '@keytide/server-relay';
import { CommanderError } from 'commander';
import { describe, expect, test } from 'vitest';
import { CliError } from '../src/errors.ts';
import { EXIT, EXIT_MEANINGS } from '../src/exit-codes.ts';
import { describeFailure } from '../src/failure.ts';

const refusal = (relayCode: string): ClientError => new ClientError('relay-refused', 'no', { relayCode });

test.each([
  [new CommanderError(1, 'commander.unknownOption', "error: unknown option '--x'"), 'usage', EXIT.usage],
  [new CommanderError(1, 'x', "error: option '--x' argument 'y' is invalid. Use one."), 'usage', EXIT.usage],
  [new CliError('file-unreadable', EXIT.usage, 'm', 'Do it.'), 'file-unreadable', EXIT.usage],
  [new ClientError('no-organisation', 'm'), 'no-organisation', EXIT.usage],
  [new ClientError('invalid-value', 'm'), 'invalid-value', EXIT.usage],
  [new DirectoryError('malformed', 'm'), 'malformed', EXIT.usage],
  [new CryptoError('wrong-passphrase', 'm'), 'wrong-passphrase', EXIT.locked],
  [new CryptoError('vault-locked', 'm'), 'vault-locked', EXIT.locked],
  [new ClientError('store-damaged', 'm'), 'store-damaged', EXIT.locked],
  [new RelayError('data-folder-locked', 'm'), 'data-folder-locked', EXIT.locked],
  [new ClientError('offline', 'm'), 'offline', EXIT.unreachable],
  [refusal('rate-limited'), 'rate-limited', EXIT.unreachable],
  [refusal('login-refused'), 'login-refused', EXIT.refused],
  [refusal('something-new'), 'something-new', EXIT.refused],
  [new ClientError('not-a-member', 'm'), 'not-a-member', EXIT.refused],
  [new DirectoryError('invite-expired', 'm'), 'invite-expired', EXIT.refused],
  [new DirectoryError('not-permitted', 'm'), 'not-permitted', EXIT.refused],
  [new ClientError('relay-forked', 'm'), 'relay-forked', EXIT.misbehaved],
  [new ClientError('relay-misbehaved', 'm'), 'relay-misbehaved', EXIT.misbehaved],
  [new DirectoryError('rolled-back', 'm'), 'rolled-back', EXIT.misbehaved],
  [new RelayError('database-failed', 'm'), 'database-failed', EXIT.unexpected],
  [new RelayError('migration-changed', 'm'), 'migration-changed', EXIT.unexpected],
  [Object.assign(new Error('x'), { name: 'ExitPromptError' }), 'interrupted', EXIT.interrupted],
])('%o is %s, exit code %i', (error, code, exitCode) => {
  const failure = describeFailure(error);
  expect(failure).toMatchObject({ code, exitCode });
  expect(failure.message).not.toMatch(/\.$/);
  expect(failure.next).toMatch(/\.$|\.example\.org$|`$/);
});

test('a wrong passphrase says how many attempts the relay leaves, and nothing else that it says', () => {
  const next = (relayReason: string | null): string => {
    const cause = new ClientError('relay-refused', 'no', { relayCode: 'wrong-proof', relayReason });
    return describeFailure(new CryptoError('wrong-passphrase', 'm', { cause })).next;
  };
  const usual = describeFailure(new CryptoError('wrong-passphrase', 'm')).next;
  expect(next('7')).toContain('7');
  expect(new Set([usual, next('7'), next('3'), next('0')]).size).toBe(4);
  for (const said of [null, '', '-1', 'type hunter2hunter2 at my page']) expect(next(said)).toBe(usual);
});

describe('errors nobody foresaw', () => {
  test.each([
    [new TypeError('cannot read the passphrase hunter2hunter2')],
    [Object.assign(new Error('hunter2hunter2'), { code: 'ERR_SOMETHING' })],
    ['hunter2hunter2'],
    [null],
    [undefined],
  ])('%o shows nothing of itself', (error) => {
    const failure = describeFailure(error);
    expect(failure).toMatchObject({ code: 'unexpected', exitCode: EXIT.unexpected });
    expect(JSON.stringify(failure)).not.toContain('hunter2');
  });

  test('of the file system name the path', () => {
    const error = Object.assign(new Error('x'), {
      code: 'EACCES',
      errno: -13,
      syscall: 'open',
      path: '/data/x',
    });
    expect(describeFailure(error)).toMatchObject({ code: 'EACCES', exitCode: EXIT.unexpected });
    expect(describeFailure(error).message).toContain('/data/x');
  });

  test('of a disk say what to do about this very one', () => {
    const codes = ['EROFS', 'EACCES', 'EPERM', 'ENOSPC', 'EDQUOT', 'EIO', 'ENOENT', 'ENOTDIR'];
    const advice = codes.map((code) => {
      const error = Object.assign(new Error('x'), { code, errno: -1, syscall: 'mkdir', path: '/data/x' });
      return describeFailure(error).next;
    });
    // EPERM is as EACCES.
    expect(new Set(advice).size).toBe(codes.length - 1);
    const [readOnly, , , full, quota] = advice;
    expect(readOnly).toContain('mount');
    for (const next of [full, quota]) expect(next).toContain('same command');
  });
});

test('every exit code has a meaning', () => {
  expect(EXIT_MEANINGS.map(([code]) => code)).toEqual(Object.values(EXIT));
});
