import { RelayError } from '../errors.ts';
import { openWrappingKeys } from '../keys/open-wrapping-keys.ts';
import { rewrapKeys } from '../keys/rewrap.ts';
import { shortId } from '../log-event.ts';
import { visitDatabase } from '../sql/open.ts';
import { sqlRelayStore } from '../sql/store.ts';
import { relayOptionsOf, wrappingKeysOf } from './config-options.ts';
import type { Config } from './config-schema.ts';

/**
 * Wraps every data key by the first of `wrappingKeys`, and says how far it is, a line each. PostgreSQL while relays serve
 * it, a folder while none does. Answers the exit code: 0 when nothing is left.
 * @throws RelayError `config-invalid` without `wrappingKeys`, and as `openWrappingKeys`, `rewrapKeys` and `visitDatabase`
 */
export async function rotateKeys(
  config: Config,
  environment: Readonly<Record<string, string | undefined>>,
  print: (line: object) => void,
): Promise<0 | 1> {
  const named = wrappingKeysOf(config);
  if (named === null)
    throw new RelayError('config-invalid', 'wrappingKeys: name the new key first, and behind it the former', {
      reason: 'wrappingKeys',
    });
  const database = await visitDatabase(relayOptionsOf(config).database);
  if (database === null) throw new RelayError('not-found', 'there is no database yet: serve makes it');
  try {
    const keys = await openWrappingKeys({ ...named, environment });
    try {
      const progress = (state: object): void => print({ event: 'rotating', ...state });
      const { moved, left, damaged } = await rewrapKeys({
        store: sqlRelayStore(database),
        wrapper: keys.wrapper,
        progress,
      });
      const places = damaged.map(({ org, number }) => `${shortId(org)} ${number}`);
      print({ event: 'rotated', key: keys.wrapper.keyName, moved, left, damaged: places });
      return left === 0 ? 0 : 1;
    } finally {
      keys.close();
    }
  } finally {
    await database.close();
  }
}
