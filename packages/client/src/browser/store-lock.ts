import { ClientError } from '../errors.ts';

/** What is used here of Web Locks, whose types are not part of this project. */
interface Locks {
  request<T>(
    name: string,
    options: { readonly ifAvailable: boolean; readonly signal?: AbortSignal },
    job: (lock: object | null) => Promise<T>,
  ): Promise<T>;
}

/**
 * Takes a device store for this tab alone; the answer lets go of it, as the end of the tab does.
 * @throws ClientError `store-in-use` when another tab has it and this one does not wait, `closed` when `signal` ends
 *   the waiting
 */
export async function takeStore(
  name: string,
  { wait, signal }: { readonly wait: boolean; readonly signal?: AbortSignal },
): Promise<() => Promise<void>> {
  const { locks } = globalThis.navigator as unknown as { locks: Locks };
  return await new Promise((resolve, reject) => {
    // Web Locks take no signal together with `ifAvailable`.
    const options = { ifAvailable: !wait, ...(wait && signal !== undefined && { signal }) };
    const held = locks.request(`keytide/${name}/device`, options, async (lock) => {
      if (lock === null) throw new ClientError('store-in-use', 'another tab has this store open');
      await new Promise<void>((letGo) => {
        resolve(async () => {
          letGo();
          await held;
        });
      });
    });
    held.catch((cause: unknown) => {
      const isGivenUp = signal?.aborted === true;
      reject(isGivenUp ? new ClientError('closed', 'nobody waits for the store any more', { cause }) : cause);
    });
  });
}
