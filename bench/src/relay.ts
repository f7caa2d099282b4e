import { benchAppend } from './relay/append.ts';
import { benchExpiry } from './relay/expiry.ts';
import { benchFanOut } from './relay/fan-out.ts';
import { openField } from './relay/field.ts';
import { benchIdle } from './relay/idle.ts';
import { benchNodes } from './relay/nodes.ts';
import { benchPairs } from './relay/pairs.ts';
import type { BenchOptions, Row } from './rows.ts';

/** The relay as a service, beside brokers and chat servers that run on the same machine at the same time. */
export async function* benchRelay(options: BenchOptions): AsyncGenerator<Row[]> {
  const field = await openField();
  try {
    yield* benchFanOut(field, options);
    yield* benchPairs(field, options);
    yield await benchAppend(field, options);
    yield await benchIdle(field, options);
    yield* benchNodes(field, options);
    yield await benchExpiry(field, options);
  } finally {
    await field.stop();
  }
}
