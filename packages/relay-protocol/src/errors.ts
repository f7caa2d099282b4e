/** Every code a `ProtocolError` can carry. The same words travel in `refused` frames. */
export type ProtocolErrorCode =
  | 'malformed' // not the layout of docs/spec/frames.md
  | 'too-large' // over the size limit of that frame
  | 'unsupported-version'; // a protocol version this build does not speak

/** The one error class of this package. `code` is stable; the message never holds peer bytes. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly code: ProtocolErrorCode;

  constructor(code: ProtocolErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
