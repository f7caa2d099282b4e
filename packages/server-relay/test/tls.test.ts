import { chmod, copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TlsFiles } from '../src/tls-files.ts';
import { makeCertificate } from './certificate.ts';
import { dial } from './line.ts';
import { relayUnderTest, type RelayUnderTest } from './relay-under-test.ts';

let folder: string;
let used: TlsFiles;
let next: TlsFiles;
let relay: RelayUnderTest;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide-tls-'));
  const first = await makeCertificate(folder, 'first');
  next = await makeCertificate(folder, 'next');
  used = { certificateFile: join(folder, 'used.pem'), keyFile: join(folder, 'used-key.pem') };
  await use(first.certificateFile, first.keyFile);
  relay = await relayUnderTest({ tls: used });
});
afterAll(async () => {
  await relay?.close();
  await rm(folder, { recursive: true, force: true });
});

async function use(certificateFile: string, keyFile: string): Promise<void> {
  await copyFile(certificateFile, used.certificateFile);
  await copyFile(keyFile, used.keyFile);
  await chmod(used.keyFile, 0o600);
}

/** The name in the certificate that the relay shows, and which TLS it speaks. */
function shown(): Promise<string> {
  const { hostname: host, port } = new URL(relay.url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port), rejectUnauthorized: false }, () => {
      resolve(`${socket.getPeerCertificate().subject.CN} ${socket.getProtocol()}`);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

test('sockets and requests go over TLS', async () => {
  expect(relay.url).toMatch(/^https:/);
  expect(await shown()).toBe('first TLSv1.3');
  const line = await dial(relay, { ca: await readFile(used.certificateFile) });
  line.sendBytes(Uint8Array.of(1));
  expect(await line.ended).toBe(1008);
});

test('a certificate is replaced without a restart, and one that cannot be used is not', async () => {
  const before = await dial(relay, { ca: await readFile(used.certificateFile) });
  await use(next.certificateFile, next.keyFile);
  await relay.reload();
  expect(await shown()).toBe('next TLSv1.3');
  expect(before.socket.readyState).toBe(before.socket.OPEN);
  before.socket.terminate();

  await use(join(folder, 'first.pem'), next.keyFile);
  await expect(relay.reload()).rejects.toMatchObject({ code: 'tls-unusable' });
  await use(join(folder, 'first.pem'), join(folder, 'first-key.pem'));
  await chmod(used.keyFile, 0o644);
  await expect(relay.reload()).rejects.toMatchObject({ code: 'tls-unusable' });
  await rm(used.keyFile);
  await expect(relay.reload()).rejects.toMatchObject({ code: 'tls-unusable' });
  expect(await shown()).toBe('next TLSv1.3');
});

test('a relay does not start with a key that is open to others', async () => {
  await chmod(next.keyFile, 0o644);
  await expect(relayUnderTest({ tls: next })).rejects.toMatchObject({ code: 'tls-unusable' });
});
