const DAY_MS = 86_400_000;
/** A new signed pre-key and Kyber pre-key of last resort come after this. */
export const ROTATE_AFTER_MS: number = 7 * DAY_MS;
/** Old ones are kept this long, for session starts that are still on their way: longer than a bundle is valid. */
const KEEP_SIGNED_MS = 90 * DAY_MS;
/** Below this many one-time pairs at the relay, it is filled up to the next number. */
const LOW_ONE_TIME = 8;
const FULL_ONE_TIME = 32;
/** One-time pairs whose secrets are kept; older ones were lost at the relay, or on the way to it. */
const KEEP_ONE_TIME = 96;

/** How long a bundle can be used after it was made. */
export const BUNDLE_VALID_MS: number = 60 * DAY_MS;

/** A signed pre-key and its Kyber pre-key of last resort. */
export interface SignedPreKeyAge {
  readonly id: number;
  readonly createdMs: number;
}

/** The pre-keys whose secrets this device holds. */
export interface PreKeyStock {
  /** Never given before, and never given again. */
  readonly nextId: number;
  /** Oldest first. */
  readonly signed: readonly SignedPreKeyAge[];
  /** Ids in the order they were made; used ones are gone. */
  readonly oneTime: readonly number[];
}

/** What to make, and what to forget. */
export interface PreKeyPlan {
  /** The id of a new signed pre-key and Kyber pre-key of last resort, or `null` while the newest are young enough. */
  readonly signed: number | null;
  readonly oneTime: readonly number[];
  readonly forgetSigned: readonly number[];
  readonly forgetOneTime: readonly number[];
  readonly nextId: number;
}

/**
 * What a device has to publish now. All ids come from one counter, so none is ever given twice.
 * @param published how many one-time pairs the relay says it has left; a relay that lies gets at most what it
 * is sent anyway, or makes sessions start from the last resort; what is no count is taken for 0
 */
export function planPreKeys(stock: PreKeyStock, published: number, nowMs: number): PreKeyPlan {
  const newest = stock.signed[stock.signed.length - 1];
  const rotate = newest === undefined || nowMs >= newest.createdMs + ROTATE_AFTER_MS;
  const signed = rotate ? stock.nextId : null;
  const first = stock.nextId + (rotate ? 1 : 0);
  const left = Number.isSafeInteger(published) ? Math.max(0, published) : 0;
  const count = left < LOW_ONE_TIME ? FULL_ONE_TIME - left : 0;
  const oneTime = Array.from({ length: count }, (_, at) => first + at);
  const surplus = Math.max(0, stock.oneTime.length + count - KEEP_ONE_TIME);
  return {
    signed,
    oneTime,
    forgetSigned: stock.signed
      .filter((key) => (key !== newest || rotate) && nowMs >= key.createdMs + KEEP_SIGNED_MS)
      .map((key) => key.id),
    forgetOneTime: stock.oneTime.slice(0, surplus),
    nextId: first + count,
  };
}
