import type { IncomingMessage } from 'node:http';
import type { ByteStream, Destination } from '../../container/destination.ts';
import { isArchiveName, NAMES } from '../../container/names.ts';
import { ArchiveError } from '../../errors.ts';
import { counter } from '../whole-file.ts';
import { elementsOf, keyIn, tagIn } from './list.ts';
import { inParts, type Part } from './parts.ts';
import { noAnswer, notUnderstood } from './refusal.ts';
import { s3Service, type S3Access, type S3Service } from './service.ts';
import { endUploads, putObject, putParts } from './upload.ts';

/** Until when nobody deletes the files of an archive. The bucket must have been made with object lock. */
export interface ObjectLock {
  /** `GOVERNANCE` can be lifted by who may; `COMPLIANCE` by nobody. */
  readonly mode: 'GOVERNANCE' | 'COMPLIANCE';
  /** Milliseconds since 1970. */
  readonly untilMs: number;
}

/** Where an archive is in a bucket. */
export interface S3DestinationOptions extends S3Access {
  /** Unreserved characters in parts with `/` between them, such as `archives/2026-03`. Default: the whole bucket. */
  readonly prefix?: string;
  readonly objectLock?: ObjectLock;
}

const PREFIX = /^[A-Za-z0-9_~-][A-Za-z0-9._~-]*(\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$/;
const LOCK_MODE = 'x-amz-object-lock-mode';

/**
 * A bucket as the place of an archive: of AWS, or of any service that speaks S3 and knows conditional writes. A file
 * is one object, in parts when it is over 8 MiB; the service checks the SHA-256 of what it gets. What fails and may
 * pass is tried again. One writer at a time: what another has not finished is ended at the first writing, and its
 * writing fails; of two that begin at once, one is refused with `other-export`. A write whose every answer was lost
 * rejects although the file may be there. Locked files are locked with the writing, all but `plan.json` and `kept.jsonl`.
 * @throws ArchiveError `bad-address`; calls throw `destination-failed` (may pass), `destination-full`,
 * `destination-refused`, `bad-address`, `bucket-missing`, `access-denied`, `clock-skew`, `no-object-lock` and `damaged`
 * (an object that changes while it is read) besides
 */
export function s3Destination(options: S3DestinationOptions): Destination {
  const { prefix = '', objectLock } = options;
  if (prefix !== '' && !PREFIX.test(prefix))
    throw new ArchiveError('bad-address', 'a place in a bucket has unreserved characters and single slashes');
  const place = prefix === '' ? '' : `${prefix}/`;
  const service = s3Service(options);
  let isPrepared = false;
  let isLockSeen = objectLock === undefined;

  function keyOf(name: string): string {
    if (!isArchiveName(name)) throw new ArchiveError('unexpected-file', 'not a name that an archive has');
    return `${place}${name}`;
  }

  async function prepare(): Promise<void> {
    if (isPrepared) return;
    await endUploads(service, place, (key) => isArchiveName(key.slice(place.length)));
    isPrepared = true;
  }

  /** A service that does not know locks may pass over what it is told of them. */
  async function requireLock(key: string): Promise<void> {
    if (isLockSeen) return;
    const { headers } = await service.ask({ method: 'HEAD', key });
    if (headers[LOCK_MODE] !== objectLock?.mode)
      throw new ArchiveError('no-object-lock', 'what was to be locked is not');
    isLockSeen = true;
  }

  async function* read(name: string): AsyncGenerator<Uint8Array, void, undefined> {
    yield* contentOf(service, keyOf(name));
  }

  return {
    async *list() {
      const query = { 'list-type': '2', prefix: place };
      for await (const object of elementsOf(service, { element: 'Contents', query })) {
        const name = keyIn(object).slice(place.length);
        // Consoles make objects of no bytes for folders.
        if (name !== '' && !name.endsWith('/')) yield { name, sizeBytes: Number(tagIn(object, 'Size')) };
      }
    },
    read,
    async digest(name) {
      const counting = counter();
      for await (const piece of read(name)) counting.add(piece);
      return counting.digest();
    },
    async write(name, bytes) {
      const key = keyOf(name);
      await prepare();
      const isPlan = name === NAMES.plan;
      // They go when the archive is whole.
      const mayGo = isPlan || name === NAMES.kept;
      const headers = mayGo || objectLock === undefined ? {} : lockHeaders(objectLock);
      const upload = { service, key, headers };
      const counting = counter();
      const parts = inParts(counted(bytes, counting));
      try {
        const { value: first } = (await parts.next()) as IteratorYieldResult<Part>;
        if (first.isLast) await putObject(upload, first.bytes, isPlan);
        else await putParts(upload, startingWith(first, parts));
      } finally {
        await parts.return();
      }
      if (!mayGo) await requireLock(key);
      return counting.digest();
    },
    async remove(name) {
      await service.ask({ method: 'DELETE', key: keyOf(name), expected: [404] });
    },
  };
}

function lockHeaders({ mode, untilMs }: ObjectLock): Record<string, string> {
  return { [LOCK_MODE]: mode, 'x-amz-object-lock-retain-until-date': new Date(untilMs).toISOString() };
}

async function* counted(
  bytes: ByteStream,
  counting: { add(piece: Uint8Array): void },
): AsyncGenerator<Uint8Array> {
  for await (const piece of bytes) {
    counting.add(piece);
    yield piece;
  }
}

async function* startingWith(first: Part, rest: AsyncIterable<Part>): AsyncGenerator<Part> {
  yield first;
  yield* rest;
}

/**
 * Goes on behind what has come when the connection breaks, with the same object or not at all. Gives no more than the
 * length that was said at first: without one, who reads would read for ever.
 */
async function* contentOf(service: S3Service, key: string): AsyncGenerator<Uint8Array, void, undefined> {
  const first = await service.open({ method: 'GET', key });
  const tag = first.headers.etag ?? '';
  const sizeBytes = Number(first.headers['content-length'] ?? Number.NaN);
  if (!Number.isSafeInteger(sizeBytes)) {
    first.destroy();
    throw notUnderstood('the service does not say how long a file is');
  }
  let answer: IncomingMessage = first;
  let offset = 0;
  for (let failures = 0; ;) {
    try {
      for await (const piece of answer as AsyncIterable<Buffer>) {
        offset += piece.length;
        failures = 0;
        if (offset > sizeBytes) throw changed(answer);
        yield new Uint8Array(piece.buffer, piece.byteOffset, piece.length);
      }
      if (offset === sizeBytes) return;
    } catch (error) {
      if (error instanceof ArchiveError) throw error;
      // What is missing is asked for below.
    }
    if (offset === sizeBytes) return;
    failures += 1;
    await service.waitAfter(failures, noAnswer());
    const headers = { range: `bytes=${offset}-`, 'if-match': tag };
    answer = await service.open({ method: 'GET', key, headers, expected: [412, 416] });
    if (answer.statusCode !== 206) throw changed(answer);
  }
}

function changed(answer: IncomingMessage): ArchiveError {
  answer.destroy();
  return new ArchiveError('damaged', 'a file of the archive changed while it was read');
}
