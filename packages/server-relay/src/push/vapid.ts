import { toBase64Url, type Signer } from '@keytide/crypto-core';
import { p256Signer } from '@keytide/crypto-core/node';
import type { Clock } from '../clock.ts';

/** Who this relay is to push services: RFC 8292. */
export interface Vapid {
  /** The P-256 point (65 bytes, uncompressed) that browsers subscribe with, their `applicationServerKey`. */
  readonly publicKey: Uint8Array;
  /** The value of `authorization` for requests to this origin. */
  authorization(origin: string): string;
}

/** What `createVapid` works with. */
export interface VapidOptions {
  /** The P-256 private key, 32 bytes. */
  readonly key: Uint8Array;
  /** How a push service reaches the operator: a `mailto:` or `https:` URL. */
  readonly subject: string;
  readonly clock: Clock;
}

/** RFC 8292 §2 allows 24 hours. */
const LIFE_MS = 43_200_000;
/** Origins whose token is kept. */
const KEPT = 100;

/** @throws TypeError for a key that is none on P-256, or a subject that is no such URL */
export function createVapid({ key, subject, clock }: VapidOptions): Vapid {
  if (!/^(mailto:[^@]+@[^@]+|https:\/\/.+)$/.test(subject))
    throw new TypeError('the subject of VAPID is a mailto: or https: URL');
  const signer = signerOf(key);
  const text = toBase64Url(signer.publicKey);
  const tokens = new Map<string, { readonly token: string; readonly madeMs: number }>();

  function make(origin: string, nowMs: number): string {
    const expires = Math.floor((nowMs + LIFE_MS) / 1000);
    const claims = `${part({ typ: 'JWT', alg: 'ES256' })}.${part({ aud: origin, exp: expires, sub: subject })}`;
    return `${claims}.${toBase64Url(signer.sign(Buffer.from(claims)))}`;
  }

  return {
    publicKey: signer.publicKey,
    authorization(origin) {
      const nowMs = clock.now();
      const known = tokens.get(origin);
      const isFresh = known !== undefined && Math.abs(nowMs - known.madeMs) < LIFE_MS / 2;
      const { token } = isFresh ? known : { token: make(origin, nowMs) };
      if (!isFresh) {
        if (tokens.size >= KEPT) tokens.clear();
        tokens.set(origin, { token, madeMs: nowMs });
      }
      return `vapid t=${token}, k=${text}`;
    },
  };
}

function signerOf(key: Uint8Array): Signer {
  try {
    return p256Signer(key);
  } catch (cause) {
    throw new TypeError('the key of VAPID has 32 bytes, of P-256', { cause });
  }
}

function part(value: Record<string, unknown>): string {
  return toBase64Url(new Uint8Array(Buffer.from(JSON.stringify(value))));
}
