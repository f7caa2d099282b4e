import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { openAttachment, sealAttachment } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import { contest, type Contestant } from '../contest.ts';
import { loadPeer } from '../peers.ts';
import { contestRows, type BenchOptions, type Row } from '../rows.ts';

/** Takes what comes out, piece by piece, as an upload or a file would. */
export type Sink = (piece: Uint8Array) => void;

/** A way to encrypt a file; `prepare` encrypts it once, so that there is something to decrypt. */
export interface FileCipher {
  readonly name: string;
  prepare(content: Uint8Array): Promise<{
    encrypt(sink: Sink): void | Promise<void>;
    decrypt(sink: Sink): void | Promise<void>;
  }>;
}

const SIZE_BYTES = 64 * 2 ** 20;
const PIECE_BYTES = 65_536;
const FLOOR = 'floor: ChaCha20-Poly1305 of node:crypto';
const GOALS = { [FLOOR]: 0.6, 'age in JavaScript (unsigned)': 10 };

/** 64 MB from memory, encrypted and decrypted; what comes out is counted and let go. */
export async function benchAttachment({ quick, clock }: BenchOptions): Promise<Row[]> {
  const content = new Uint8Array(randomBytes(SIZE_BYTES));
  const ciphers = [bound, notBound, floor, await loadPeer<FileCipher>('age')];
  const [encrypting, decrypting]: [Contestant[], Contestant[]] = [[], []];
  for (const { name, prepare } of ciphers) {
    const { encrypt, decrypt } = await prepare(content);
    await checkDecrypted(content, decrypt);
    encrypting.push(counted(name, encrypt));
    decrypting.push(counted(name, decrypt));
  }
  const options = { rounds: quick ? 3 : 9, warmUps: 1, now: clock.now };
  const encrypted = await contest(encrypting, options);
  const decrypted = await contest(decrypting, options);
  return [
    ...rowsOf('encrypt an attachment of 64 MB', clock.runtime, encrypted),
    ...rowsOf('decrypt an attachment of 64 MB', clock.runtime, decrypted),
  ];
}

/** Both of ours against the floor and the peer. */
function rowsOf(work: string, runtime: string, samples: Awaited<ReturnType<typeof contest>>): Row[] {
  const both = [bound.name, notBound.name].flatMap((ours) => {
    const title = ours === bound.name ? work : `${work}, ${notBound.name}`;
    const rest = Object.entries(samples).filter(([name]) => name === ours || name in GOALS);
    const comparison = { ours, goals: GOALS, valueOf: (ms: number) => SIZE_BYTES / 1_000 / ms };
    const described = { bench: 'crypto', work: title, n: 64, unit: 'MB/s', runtime };
    return contestRows(described, Object.fromEntries(rest), comparison);
  });
  // The others' own figures come once.
  return both.filter(({ work: title, against }) => against !== null || title.startsWith(`${work}: `));
}

function counted(name: string, act: (sink: Sink) => void | Promise<void>): Contestant {
  return {
    name,
    async round(time) {
      let sizeBytes = 0;
      await time(() => act((piece) => (sizeBytes += piece.length)));
      if (sizeBytes < SIZE_BYTES) throw new Error(`${name} gave ${sizeBytes} bytes`);
    },
  };
}

const bound: FileCipher = keytideFile('keytide', true);
/** Without the hash of the ciphertext in the signed message. */
const notBound: FileCipher = keytideFile('not bound to its message', false);

function keytideFile(name: string, isBound: boolean): FileCipher {
  return {
    name,
    async prepare(content) {
      const encrypt = (sink: Sink) => {
        const sealer = sealAttachment({ primitives, random, bound: isBound });
        for (const piece of piecesOf(content)) for (const sealed of sealer.push(piece)) sink(sealed);
        for (const sealed of sealer.end()) sink(sealed);
        return sealer.descriptor();
      };
      const sealed: Uint8Array[] = [];
      const descriptor = encrypt((piece) => sealed.push(piece));
      return {
        encrypt: (sink) => void encrypt(sink),
        decrypt(sink) {
          const opener = openAttachment(primitives, descriptor);
          for (const piece of sealed) for (const opened of opener.push(piece)) sink(opened);
          opener.end();
        },
      };
    },
  };
}

/** One cipher over all of it, in the pieces that the file is read in. */
const floor: FileCipher = {
  name: FLOOR,
  async prepare(content) {
    const [key, nonce, options] = [random(32), random(12), { authTagLength: 16 }];
    const encrypt = (sink: Sink) => {
      const cipher = createCipheriv('chacha20-poly1305', key, nonce, options);
      for (const piece of piecesOf(content)) sink(cipher.update(piece));
      cipher.final();
      return cipher.getAuthTag();
    };
    const sealed: Uint8Array[] = [];
    const tag = encrypt((piece) => sealed.push(piece));
    return {
      encrypt: (sink) => void encrypt(sink),
      decrypt(sink) {
        const decipher = createDecipheriv('chacha20-poly1305', key, nonce, options);
        decipher.setAuthTag(tag);
        for (const piece of sealed) sink(decipher.update(piece));
        decipher.final();
      },
    };
  },
};

function* piecesOf(content: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < content.length; at += PIECE_BYTES) yield content.subarray(at, at + PIECE_BYTES);
}

/** @throws Error unless what comes out is the content */
async function checkDecrypted(
  content: Uint8Array,
  decrypt: (sink: Sink) => void | Promise<void>,
): Promise<void> {
  let at = 0;
  await decrypt((piece) => {
    if (Buffer.compare(piece, content.subarray(at, at + piece.length)) !== 0)
      throw new Error('other content');
    at += piece.length;
  });
  if (at !== content.length) throw new Error('content is missing');
}
