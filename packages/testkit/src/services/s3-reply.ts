import { createHash } from 'node:crypto';
import type { ServiceReply } from './key-service.ts';

/** An error, as S3 says it. */
export function refused(status: number, code: string, message = 'as you see'): ServiceReply {
  return xml(status, `<Error><Code>${code}</Code><Message>${message}</Message></Error>`);
}

/** An answer in XML. */
export function xml(status: number, text: string): ServiceReply {
  const body = Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n${text}`);
  return { status, body, headers: { 'content-type': 'application/xml' } };
}

/** A checksum as S3 writes it. */
export function sha256Text(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64');
}

/** A key in a list, as it was asked for. */
export function keyText(key: string, asked: URLSearchParams): string {
  return asked.get('encoding-type') === 'url'
    ? encodeURIComponent(key).replaceAll('%2F', '/').replaceAll('%20', '+')
    : key;
}
