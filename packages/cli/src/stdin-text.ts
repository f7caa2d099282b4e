import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';

/** All of stdin as text, without one line end at its end. @throws CliError `usage` over `maxBytes` */
export async function readStdinText(maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    sizeBytes += chunk.length;
    if (sizeBytes > maxBytes) {
      const message = `more than ${maxBytes} bytes on standard input`;
      throw new CliError('usage', EXIT.usage, message, 'Send less at once.');
    }
  }
  return new TextDecoder().decode(Buffer.concat(chunks)).replace(/\r?\n$/, '');
}
