import { asciiBytes, deviceId, groupId, orgId } from '@keytide/crypto-core';
import { encodeClientFrame, encodeRelayFrame, loginBytes } from '@keytide/relay-protocol';

const group = groupId(new Uint8Array(32).fill(0x0b));
const messageId = new Uint8Array(16).fill(0x1d);
const timeline = new Uint8Array(16).fill(0x7e);
const entry = asciiBytes('ciphertext');

/** The examples of docs/spec/frames.md by name. */
export const FRAME_EXAMPLES: Readonly<Record<string, Uint8Array>> = {
  hello: encodeClientFrame({ type: 'hello', token: 'dG9rZW4' }),
  append: encodeClientFrame({ type: 'append', requestId: 7, group, items: [{ messageId, envelope: entry }] }),
  announce: encodeClientFrame({
    type: 'announce',
    requestId: 8,
    group,
    messageId,
    statement: asciiBytes('statement'),
    boxes: [{ device: deviceId(new Uint8Array(32).fill(0xde)), box: asciiBytes('box') }],
  }),
  subscribe: encodeClientFrame({ type: 'subscribe', group, afterSeq: 41, timeline }),
  ping: encodeClientFrame({ type: 'ping', nonce: 5 }),
  ephemeral: encodeClientFrame({ type: 'ephemeral', group, frame: entry }),
  welcome: encodeRelayFrame({
    type: 'welcome',
    relayTimeMs: 1_893_456_000_000,
    directorySize: 3,
    timeline,
  }),
  appended: encodeRelayFrame({ type: 'appended', requestId: 7, seqs: [42] }),
  entries: encodeRelayFrame({
    type: 'entries',
    group,
    firstSeq: 42,
    entries: [{ kind: 'envelope', bytes: entry }],
  }),
  'caught-up': encodeRelayFrame({ type: 'caught-up', group, headSeq: 42 }),
  refused: encodeRelayFrame({ type: 'refused', requestId: 8, code: 'epoch-taken' }),
  directory: encodeRelayFrame({ type: 'directory', size: 4 }),
  pong: encodeRelayFrame({ type: 'pong', nonce: 5 }),
  gap: encodeRelayFrame({ type: 'gap', group, firstAvailableSeq: 40 }),
  hint: encodeRelayFrame({ type: 'hint', topic: 'mail' }),
  'ephemeral-passed-on': encodeRelayFrame({ type: 'ephemeral', group, frame: entry }),
  head: encodeRelayFrame({ type: 'head', group, headSeq: 42 }),
};

/** The example of docs/spec/sessions.md. */
export const LOGIN_EXAMPLE: Uint8Array = loginBytes({
  relayName: 'http://127.0.0.1:8080',
  org: orgId(new Uint8Array(32).fill(0x0a)),
  subject: { kind: 'device', id: 'de'.repeat(32) },
  challenge: new Uint8Array(32).fill(0xcc),
});
