import { benchAbsence } from './lifecycle/absence.ts';
import { benchDeletion } from './lifecycle/deletion.ts';
import { benchGrant } from './lifecycle/grant.ts';
import { benchRotation } from './lifecycle/rotation.ts';
import type { BenchOptions, Row } from './rows.ts';

const SIZES = [10, 100, 1_000, 5_000];
const QUICK_SIZES = [10, 1_000];

/** Keys as they come and go: real clients, and real relays in processes of their own. */
export async function* benchLifecycle(options: BenchOptions): AsyncGenerator<Row[]> {
  const { quick, note } = options;
  yield await benchAbsence(options);
  note('grant of 30 blocks');
  yield await benchGrant(options);
  note('deletion of a block');
  yield await benchDeletion(options);
  for (const size of quick ? QUICK_SIZES : SIZES) {
    note(`rotation for ${size.toLocaleString('en')} devices`);
    yield await benchRotation(size, options);
  }
}
