import assert from 'node:assert/strict';
import type { KeyWrapper } from '@keytide/server-relay';
import { seededRandom } from './seeded-random.ts';
import type { TestRunner } from './test-runner.ts';

/** What every `KeyWrapper` owes. `makeWrapper` opens one over the same key when it is called again. */
export function keyWrapperConformance(
  name: string,
  makeWrapper: () => Promise<KeyWrapper>,
  { describe, it }: TestRunner,
): void {
  const random = seededRandom(`key wrapper ${name}`);
  const notOpened = { code: 'decryption-failed' };

  describe(`KeyWrapper: ${name}`, () => {
    it('gives back what it wrapped, also to another one over the same key', async () => {
      const wrapper = await makeWrapper();
      const again = await makeWrapper();
      assert.equal(again.keyName, wrapper.keyName);
      assert.ok(wrapper.keyName.length > 0 && wrapper.keyName.length <= 64);
      for (const context of [random(1), random(40), random(120)]) {
        const dataKey = random(32);
        const wrapped = await wrapper.wrap(dataKey.slice(), context);
        assert.deepEqual(await again.unwrap(wrapper.keyName, wrapped, context), dataKey);
        assert.ok(!Buffer.from(wrapped).includes(Buffer.from(dataKey)));
      }
    });
    it('opens under its own context alone', async () => {
      const wrapper = await makeWrapper();
      const context = random(40);
      const wrapped = await wrapper.wrap(random(32), context);
      for (const other of [random(40), context.slice(0, 39), Uint8Array.of(...context, 0)])
        await assert.rejects(wrapper.unwrap(wrapper.keyName, wrapped, other), notOpened);
    });
    it('does not open what was altered, cut or made longer', async () => {
      const wrapper = await makeWrapper();
      const context = random(40);
      const wrapped = await wrapper.wrap(random(32), context);
      const step = Math.max(1, Math.floor(wrapped.length / 12));
      for (let at = 0; at < wrapped.length; at += step) {
        const altered = wrapped.map((byte, i) => (i === at ? byte ^ 1 : byte));
        await assert.rejects(wrapper.unwrap(wrapper.keyName, altered, context), notOpened, `byte ${at}`);
      }
      for (const other of [wrapped.slice(0, -1), wrapped.slice(0, 5), new Uint8Array(0), random(90)])
        await assert.rejects(wrapper.unwrap(wrapper.keyName, other, context), notOpened);
    });
    it('wraps the same key differently each time', async () => {
      const wrapper = await makeWrapper();
      const [dataKey, context] = [random(32), random(8)];
      const [one, two] = [await wrapper.wrap(dataKey, context), await wrapper.wrap(dataKey, context)];
      assert.notDeepEqual(one, two);
    });
    it('knows which keys it has', async () => {
      const wrapper = await makeWrapper();
      const wrapped = await wrapper.wrap(random(32), random(8));
      assert.equal(wrapper.unwraps(wrapper.keyName), true);
      for (const other of ['', 'another', `${wrapper.keyName}x`, wrapper.keyName.slice(0, -1)]) {
        assert.equal(wrapper.unwraps(other), false);
        await assert.rejects(wrapper.unwrap(other, wrapped, random(8)), { code: 'data-key-missing' });
      }
    });
  });
}
