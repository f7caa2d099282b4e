import { asciiBytes } from '@keytide/crypto-core';
import { nodeRandom as random } from '@keytide/crypto-core/node';
import {
  checkKeyWrapper,
  openVault,
  vaultTransitKeyWrapper,
  type KeyWrapper,
  type LogEvent,
  type Vault,
  type VaultOptions,
} from '@keytide/server-relay';
import { keyWrapperConformance, startTestVault, type TestVault } from '@keytide/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, test } from 'vitest';
import { failureOf, fileWith, impatient, limits, PASSING } from './services.ts';

const context = random(40);
const failed = (reason: string) => ({ code: 'key-service-failed', reason });
const refused = (reason: string) => ({ code: 'key-service-refused', reason });

let server: TestVault;
let file: Awaited<ReturnType<typeof fileWith>>;
const opened: Vault[] = [];
beforeAll(async () => {
  server = await startTestVault({ namespace: 'field/' });
  server.addKey('plain');
  server.addKey('derived', { isDerived: true });
  file = await fileWith('');
});
beforeEach(() => {
  server.setToken(server.token);
  server.setLease(3600, true);
  return file.write(`${server.token}\n`);
});
afterEach(() => {
  for (const vault of opened.splice(0)) vault.close();
});
afterAll(async () => {
  await server.close();
  await file.remove();
});

async function vaultOf(changes: Partial<VaultOptions> = {}): Promise<Vault> {
  const standard = { address: server.url, tokenFile: file.path, namespace: 'field/', limits };
  const vault = await openVault({ after: () => () => {}, ...standard, ...changes });
  opened.push(vault);
  return vault;
}
const wrapperOf = async (key = 'plain', version?: number): Promise<KeyWrapper> =>
  vaultTransitKeyWrapper({ vault: await vaultOf(), key, ...(version === undefined ? {} : { version }) });

keyWrapperConformance('Vault transit', () => wrapperOf(), { describe, it });
keyWrapperConformance('Vault transit, derived key', () => wrapperOf('derived'), { describe, it });

describe('a key', () => {
  test('is named by its mount and name; what is none, or too long, is refused', async () => {
    const vault = await vaultOf();
    expect((await wrapperOf()).keyName).toBe('vault:transit/plain');
    const bad = expect.objectContaining({ code: 'bad-reference' });
    for (const options of [
      { key: '../sys/raw' },
      { key: 'a/b' },
      { key: '' },
      { key: 'k'.repeat(60) },
      { key: 'a', mount: '/transit' },
      { key: 'a', mount: 'a/../b' },
      { key: 'a', version: 0 },
      { key: 'a', version: 1.5 },
    ])
      expect(() => vaultTransitKeyWrapper({ vault, ...options }), JSON.stringify(options)).toThrow(bad);
  });

  test('has versions: each opens while Vault lets it, and the chosen one wraps', async () => {
    server.addKey('turning');
    const [dataKey, any] = [random(32), await wrapperOf('turning')];
    const old = await any.wrap(dataKey, context);
    server.rotateKey('turning');
    const first = await wrapperOf('turning', 1);
    const second = await wrapperOf('turning', 2);
    expect([first.keyName, second.keyName]).toEqual(['vault:transit/turning:v1', 'vault:transit/turning:v2']);
    const [one, two] = [await first.wrap(dataKey, context), await second.wrap(dataKey, context)];
    const start = (wrapped: Uint8Array): string => Buffer.from(wrapped.subarray(0, 9)).toString();
    expect([start(old), start(one), start(two)]).toEqual(['vault:v1:', 'vault:v1:', 'vault:v2:']);
    for (const [name, wrapped] of [
      [any.keyName, old],
      [first.keyName, one],
      [second.keyName, two],
    ] as const)
      expect(await second.unwrap(name, wrapped, context)).toEqual(dataKey);
    server.setOldest('turning', 2);
    expect(await failureOf(any.unwrap(any.keyName, old, context), [])).toEqual(refused('version-too-old'));
  });

  test('that is not there is told apart from what does not open', async () => {
    const wrapper = await wrapperOf('absent');
    const wrapped = asciiBytes('vault:v1:AAAA');
    expect(await failureOf(wrapper.wrap(random(32), context), [])).toEqual(refused('no-such-key'));
    const unwrapping = wrapper.unwrap(wrapper.keyName, wrapped, context);
    expect(await failureOf(unwrapping, [])).toEqual(refused('no-such-key'));
  });

  test('of a Vault that is too old is found out: it binds nothing, or wraps with another version', async () => {
    const old = await startTestVault({ isOld: true });
    old.addKey('plain');
    await file.write(old.token);
    const vault = await openVault({ address: old.url, tokenFile: file.path, limits });
    const checking = checkKeyWrapper(vaultTransitKeyWrapper({ vault, key: 'plain' }), random);
    expect((await failureOf(checking, [])).code).toBe('data-key-unusable');
    old.rotateKey('plain');
    const first = vaultTransitKeyWrapper({ vault, key: 'plain', version: 1 });
    expect(await failureOf(first.wrap(random(32), context), [])).toEqual(failed('garbage'));
    vault.close();
    await old.close();
    await file.write(server.token);
    await checkKeyWrapper(await wrapperOf(), random);
    await checkKeyWrapper(await wrapperOf('derived'), random);
  });
});

describe('a Vault that fails', () => {
  const dataKey = random(32);
  const secrets = (): string[] => [server.token, Buffer.from(dataKey).toString('base64')];

  test.each([...PASSING, ['throttle', 'http-429'] as const])(
    '%s: is asked again, three times at most',
    async (fault, reason) => {
      const wrapper = await wrapperOf();
      server.fail(fault, fault);
      const wrapped = await wrapper.wrap(dataKey, context);
      server.fail(fault, fault, fault);
      const before = server.calls.length;
      const unwrapping = wrapper.unwrap(wrapper.keyName, wrapped, context);
      expect(await failureOf(unwrapping, secrets())).toEqual(failed(reason));
      expect(server.calls.length - before).toBe(3);
    },
  );

  test.each(['garbage', 'nonsense'] as const)('%s: is believed nothing', async (fault) => {
    const wrapper = await wrapperOf();
    const wrapped = await wrapper.wrap(dataKey, context);
    server.fail(fault);
    expect(await failureOf(wrapper.wrap(dataKey, context), secrets())).toEqual(failed('garbage'));
    server.fail(fault);
    const unwrapping = wrapper.unwrap(wrapper.keyName, wrapped, context);
    expect(await failureOf(unwrapping, secrets())).toEqual(failed('garbage'));
  });

  test('never answers: is given up', async () => {
    const vault = await vaultOf({ limits: impatient });
    server.fail('hang', 'hang');
    const wrapping = vaultTransitKeyWrapper({ vault, key: 'plain' }).wrap(dataKey, context);
    expect(await failureOf(wrapping, secrets())).toEqual(failed('timeout'));
  });

  test('sends the caller elsewhere: nobody goes there', async () => {
    const wrapper = await wrapperOf();
    const before = server.calls.length;
    server.fail('redirect');
    expect(await failureOf(wrapper.wrap(dataKey, context), secrets())).toEqual(refused('http-307'));
    expect(server.calls.length - before).toBe(1);
  });

  test('of another namespace is another Vault', async () => {
    const vault = await vaultOf({ namespace: 'other/' });
    const wrapping = vaultTransitKeyWrapper({ vault, key: 'plain' }).wrap(dataKey, context);
    expect(await failureOf(wrapping, secrets())).toEqual(refused('http-404'));
  });
});

describe('the token', () => {
  /** A timer that goes off when it is told to. */
  function handTimer(): {
    waits: number[];
    go(): Promise<void>;
    isSet(): boolean;
    after: VaultOptions['after'] & {};
  } {
    const waits: number[] = [];
    let due: (() => void) | null = null;
    return {
      waits,
      isSet: () => due !== null,
      async go() {
        const [work, count] = [due, waits.length];
        due = null;
        work?.();
        await expect.poll(() => waits.length, { interval: 2, timeout: 5000 }).toBe(count + 1);
      },
      after(ms, work) {
        waits.push(ms);
        due = work;
        return () => void (due = null);
      },
    };
  }
  const renewals = (): number => server.calls.filter(({ path }) => path.endsWith('/renew-self')).length;

  test('that Vault does not know leaves the one before in use; one that cannot be renewed does not', async () => {
    const timer = handTimer();
    const vault = await vaultOf({ after: timer.after });
    const ask = async () => {
      const asked = server.calls.length;
      await vault.call('POST', 'transit/encrypt/plain', { plaintext: 'AAAA' });
      return server.calls.slice(asked).map(({ headers }) => headers['x-vault-token']);
    };
    await file.write('hvs.unknown');
    await timer.go();
    expect(await ask()).toEqual([server.token]);
    server.setToken('hvs.next');
    server.setLease(10, false);
    await file.write('hvs.next');
    await timer.go();
    expect(await ask()).toEqual(['hvs.next']);
  });

  test('is renewed when half of its time is over, ten minutes at the latest', async () => {
    const timer = handTimer();
    const events: LogEvent[] = [];
    server.setLease(60, true);
    await vaultOf({ after: timer.after, log: (event) => events.push(event) });
    const before = renewals();
    server.setLease(2_764_800, true);
    await timer.go();
    server.setLease(10, false);
    await timer.go();
    server.fail('broken', 'broken', 'broken');
    await timer.go();
    expect(timer.waits).toEqual([30_000, 600_000, 30_000, 30_000]);
    expect(renewals() - before).toBe(5);
    expect(events).toEqual([
      { event: 'vault-token', renewable: true, seconds: 60 },
      { event: 'vault-token', renewable: true, seconds: 2_764_800 },
      { event: 'failed', where: 'vault-token', code: 'key-service-refused' },
      { event: 'failed', where: 'vault-token', code: 'key-service-failed' },
    ]);
  });

  test('is not renewed after the end', async () => {
    const timer = handTimer();
    const vault = await vaultOf({ after: timer.after });
    expect(timer.isSet()).toBe(true);
    vault.close();
    expect(timer.isSet()).toBe(false);
  });

  test('of the file is used when the one before is refused, and once only', async () => {
    const wrapper = await wrapperOf();
    server.setToken('the-second');
    const tokens = [server.token, 'the-second'];
    const first = server.calls.length;
    expect(await failureOf(wrapper.wrap(random(32), context), tokens)).toEqual(refused('http-403'));
    expect(server.calls.length - first).toBe(1);
    await file.write('the-second\r\n');
    await wrapper.wrap(random(32), context);
    server.setToken('the-third');
    await file.write('wrong-again');
    const before = server.calls.length;
    expect(await failureOf(wrapper.wrap(random(32), context), tokens)).toEqual(refused('http-403'));
    expect(server.calls.length - before).toBe(2);
  });

  test('is replaced with the file also before it is refused', async () => {
    const timer = handTimer();
    await vaultOf({ after: timer.after });
    await file.write('the-next');
    await timer.go();
    expect(server.calls.at(-1)?.headers['x-vault-token']).toBe('the-next');
    server.setToken('the-next');
    await timer.go();
    expect(server.calls.at(-1)?.headers['x-vault-token']).toBe('the-next');
    expect(timer.waits.at(-1)).toBe(600_000);
  });

  test('that is none stays out of errors', async () => {
    for (const content of ['', 'two words', 'hvs.öffentlich', 'line\nbreak', 'x'.repeat(9000)]) {
      await file.write(content);
      const failure = await failureOf(vaultOf(), content === '' ? [] : [content.slice(0, 20)]);
      expect(failure.code, content.slice(0, 20)).toBe('secret-unusable');
    }
    await expect(vaultOf({ tokenFile: `${file.path}.none` })).rejects.toMatchObject({
      code: 'secret-missing',
    });
    await expect(vaultOf({ address: 'http://vault.example' })).rejects.toMatchObject({
      code: 'bad-reference',
    });
  });
});
