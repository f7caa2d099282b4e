import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { findPostgres, type RunAs } from './postgres-binaries.ts';

/** A PostgreSQL server of our own. */
export interface TestPostgres {
  /** postgres://… of its first, empty database, as a superuser. */
  readonly url: string;
  /** Makes another empty database on it. */
  createDatabase(name: string): Promise<string>;
  /** Kills it as a crash would, and starts it again on the same port: what it acknowledged is there. */
  restart(): Promise<void>;
  /** Ends the server and removes its files. */
  stop(): Promise<void>;
}

/** nobody, by its number on every system we know. */
const NOBODY: RunAs = { uid: 65_534, gid: 65_534 };

/**
 * Starts a real PostgreSQL on 127.0.0.1 and a free port, in a temporary folder, as durable as in
 * production (fsync on). As root it runs as nobody, because PostgreSQL refuses to run as root.
 * @param walSegmentMiB the size of a file of its own log, a power of two
 * @throws Error that says what was tried when none can run; never skips
 */
export async function startPostgres(walSegmentMiB: number = 16): Promise<TestPostgres> {
  const folder = await mkdtemp(join(tmpdir(), 'keytide-postgres-'));
  const runAs = process.getuid?.() === 0 ? NOBODY : null;
  try {
    await chmod(folder, 0o755);
    const bin = await findPostgres(folder, runAs);
    const data = join(folder, 'data');
    await mkdir(data, { mode: 0o700 });
    if (runAs !== null) await chown(data, runAs.uid, runAs.gid);
    await promisify(execFile)(
      join(bin, 'initdb'),
      [
        '-D',
        data,
        '-U',
        'keytide',
        '-A',
        'trust',
        '-E',
        'UTF8',
        '--locale=C',
        '--no-sync',
        `--wal-segsize=${walSegmentMiB}`,
      ],
      { ...runAs, cwd: data },
    );
    const port = await freePort();
    const start = (): ChildProcess =>
      spawn(
        join(bin, 'postgres'),
        ['-D', data, '-h', '127.0.0.1', '-p', String(port), '-k', data, '-c', 'fsync=on'],
        { ...runAs, cwd: data, stdio: ['ignore', 'ignore', 'pipe'] },
      );
    return await serve(start, port, folder);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function serve(start: () => ChildProcess, port: number, folder: string): Promise<TestPostgres> {
  const url = `postgres://keytide@127.0.0.1:${port}/postgres`;
  let running = await whenReady(start(), url);
  // A test run that dies must not leave a server behind.
  const endWithUs = (): void => void running.server.kill('SIGINT');
  process.once('exit', endWithUs);
  return {
    url,
    async createDatabase(name) {
      await query(url, `create database "${name}"`);
      return url.replace(/postgres$/, name);
    },
    async restart() {
      // SIGQUIT is its immediate shutdown: nobody is waited for, and the next start recovers from the log.
      running.server.kill('SIGQUIT');
      await running.ended;
      running = await whenReady(start(), url);
    },
    async stop() {
      process.off('exit', endWithUs);
      // SIGINT is PostgreSQL's fast shutdown: it ends sessions and does not wait for them.
      running.server.kill('SIGINT');
      await running.ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function whenReady(
  server: ChildProcess,
  url: string,
): Promise<{ server: ChildProcess; ended: Promise<void> }> {
  const output: string[] = [];
  server.stderr?.on('data', (chunk) => output.push(String(chunk)));
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  let running = true;
  void ended.then(() => {
    running = false;
  });
  const deadline = Date.now() + 30_000;
  while (!(await answers(url))) {
    if (!running || Date.now() > deadline) {
      server.kill('SIGKILL');
      throw new Error(`PostgreSQL did not start:\n${output.join('')}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { server, ended };
}

async function answers(url: string): Promise<boolean> {
  return query(url, 'select 1').then(
    () => true,
    () => false,
  );
}

async function query(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  try {
    await client.connect();
    await client.query(text);
  } finally {
    await client.end();
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
