/**
 * What a team writes in an afternoon: frames as ours, one INSERT a message, and then it is passed on. No message ids, no
 * sessions, nothing sealed: the floor for one INSERT a message. On one connection seqs are shown in their order; on
 * several, whoever reads by seq may miss one. The database and the number of connections as arguments; tells where it
 * listens.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { idBytes } from '@keytide/crypto-core';
import { decodeClientFrame, encodeRelayFrame, type ClientFrame } from '@keytide/relay-protocol';
import pg from 'pg';
import { WebSocketServer, type WebSocket } from 'ws';

const [connectionString = '', connections = '1'] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString, max: Number(connections) });
await pool.query(
  'create table messages (seq bigserial primary key, grp bytea not null, bytes bytea not null)',
);
await pool.query('alter table messages alter column bytes set storage external');
const http = createServer();
const sockets = new WebSocketServer({ server: http, perMessageDeflate: false });
const listeners = new Map<string, Set<WebSocket>>();

async function append(socket: WebSocket, frame: Extract<ClientFrame, { type: 'append' }>): Promise<void> {
  const { requestId, group, items } = frame;
  const seqs: number[] = [];
  for (const { envelope } of items) {
    const { rows } = await pool.query<{ seq: string }>({
      name: 'append',
      text: 'insert into messages (grp, bytes) values ($1, $2) returning seq',
      values: [idBytes(group), envelope],
    });
    const seq = Number(rows[0]?.seq);
    seqs.push(seq);
    const entries = [{ kind: 'envelope', bytes: envelope }] as const;
    const passed = encodeRelayFrame({ type: 'entries', group, firstSeq: seq, entries });
    for (const listener of listeners.get(group) ?? []) listener.send(passed);
  }
  socket.send(encodeRelayFrame({ type: 'appended', requestId, seqs }));
}

sockets.on('connection', (socket) => {
  socket.on('message', (data: Buffer) => {
    const frame = decodeClientFrame(new Uint8Array(data.buffer, data.byteOffset, data.length));
    if (frame.type === 'hello')
      return socket.send(
        encodeRelayFrame({
          type: 'welcome',
          relayTimeMs: Date.now(),
          directorySize: 1,
          timeline: new Uint8Array(16),
        }),
      );
    if (frame.type === 'append') return void append(socket, frame);
    if (frame.type !== 'subscribe') return;
    const { group } = frame;
    listeners.set(group, (listeners.get(group) ?? new Set()).add(socket));
    socket.send(encodeRelayFrame({ type: 'caught-up', group, headSeq: 0 }));
  });
});
http.listen(0, '127.0.0.1', () => {
  process.send?.({ url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` });
});
process.on('disconnect', () => process.exit());
