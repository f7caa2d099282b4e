/**
 * Counts the steps at which a process changes something outside itself (files, requests, frames) and kills
 * it at the one that CRASH_AT names: before the step, or half-way through it where it is a write. Loaded
 * ahead of a script by `--import`; does nothing in a process without CRASH_AT.
 */
import fs from 'node:fs';
import http from 'node:http';
import promises, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const VARIABLE = 'CRASH_AT';

/** How to start a child that crashes at step `step`, counted from 1. */
export function crashingAt(step: number): { nodeOptions: string[]; env: Record<string, string> } {
  return { nodeOptions: [`--import=${import.meta.url}`], env: { [VARIABLE]: String(step) } };
}

const crashAt = process.env[VARIABLE];
if (crashAt !== undefined) install(Number(crashAt));

function install(last: number): void {
  let steps = 0;
  /** Dies here when this is the step; `half` is what a crash in the middle of it leaves. */
  function step(half: () => void = () => {}): void {
    steps += 1;
    if (steps !== last) return;
    half();
    process.kill(process.pid, 'SIGKILL');
  }

  for (const name of ['rename', 'link', 'rm'] as const) {
    const real = promises[name] as (...parameters: unknown[]) => Promise<void>;
    promises[name] = ((...parameters: unknown[]) => {
      step();
      return real(...parameters);
    }) as never;
  }
  const { open, writeFile } = promises;
  promises.writeFile = (async (path: string, data: string | Uint8Array, options: { flag?: string }) => {
    step(() => fs.writeFileSync(path, firstHalf(data), options));
    return writeFile(path, data, options);
  }) as never;
  promises.open = async (path, flags, mode) => {
    if (String(flags).startsWith('w')) step();
    const file = await open(path, flags, mode);
    watchFile(file, step);
    return file;
  };
  const { request } = http;
  http.request = ((...parameters: Parameters<typeof request>) => {
    step();
    const sent = Reflect.apply(request, http, parameters);
    const { write } = sent;
    sent.write = ((...piece: Parameters<typeof write>) => {
      step();
      return Reflect.apply(write, sent, piece);
    }) as never;
    // Done, and not known to be.
    return sent.once('response', () => step());
  }) as never;
  syncBuiltinESMExports();

  const { fetch } = globalThis;
  globalThis.fetch = (input, init) => {
    step();
    return fetch(input, init);
  };
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (data) {
    step();
    send.call(this, data);
  };
}

function watchFile(file: FileHandle, step: (half?: () => void) => void): void {
  const { write, writeFile, truncate, sync, datasync } = file;
  file.write = ((...parameters: [data: Uint8Array, offset: number, length: number, position: number]) => {
    const [data, offset, length, position] = parameters;
    step(() => fs.writeSync(file.fd, data, offset, Math.floor(length / 2), position));
    return Reflect.apply(write, file, parameters);
  }) as never;
  file.writeFile = ((data: Uint8Array) => {
    step(() => fs.writeSync(file.fd, firstHalf(data)));
    return writeFile.call(file, data);
  }) as never;
  file.truncate = (length) => {
    step();
    return truncate.call(file, length);
  };
  file.sync = () => {
    step();
    return sync.call(file);
  };
  file.datasync = () => {
    step();
    return datasync.call(file);
  };
}

function firstHalf<T extends string | Uint8Array>(data: T): T {
  return data.slice(0, Math.floor(data.length / 2)) as T;
}
