/** Text whose characters are these bytes. */
export const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/** The bytes of such text; a character above 255 becomes one that no input has in that place. */
export const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'));
