/** A copy in a buffer of its own, as libsignal's types ask for. */
export function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
