import { concatBytes, encodeUtf8, hkdfExpand, hkdfExtract, type Primitives } from '@keytide/crypto-core';

/** HPKE with X-Wing (0x647a), HKDF-SHA256 (1) and ChaCha20-Poly1305 (3): RFC 9180 §5.1. */
const SUITE = concatBytes(text('HPKE'), Uint8Array.of(0x64, 0x7a, 0, 1, 0, 3));
const NOTHING = new Uint8Array();

/** The key (32 bytes) and nonce (12 bytes) of the first message under a shared secret: RFC 9180 §5.1, mode base. */
export function hpkeContext(
  primitives: Primitives,
  sharedSecret: Uint8Array,
  info: string,
): { readonly key: Uint8Array; readonly nonce: Uint8Array } {
  const extract = (salt: Uint8Array, label: string, material: Uint8Array): Uint8Array =>
    hkdfExtract(primitives, salt, concatBytes(text('HPKE-v1'), SUITE, text(label), material));
  const context = concatBytes(
    Uint8Array.of(0),
    extract(NOTHING, 'psk_id_hash', NOTHING),
    extract(NOTHING, 'info_hash', text(info)),
  );
  const secret = extract(sharedSecret, 'secret', NOTHING);
  const expand = (label: string, sizeBytes: number): Uint8Array => {
    const size = Uint8Array.of(0, sizeBytes);
    const labelled = concatBytes(size, text('HPKE-v1'), SUITE, text(label), context);
    return hkdfExpand(primitives, secret, labelled, sizeBytes);
  };
  const [key, nonce] = [expand('key', 32), expand('base_nonce', 12)];
  secret.fill(0);
  return { key, nonce };
}

function text(ascii: string): Uint8Array {
  return encodeUtf8(ascii) as Uint8Array;
}
