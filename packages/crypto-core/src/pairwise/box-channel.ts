import { CryptoError } from '../errors.ts';
import { openBoxMessage, sealBoxMessage } from './box-message.ts';
import { checkPlaintextSize, type PairwiseChannel } from './channel.ts';
import { choosePairwise } from './choose.ts';
import { peerDevice, type PairwiseEndpoint, type PairwisePeer } from './endpoint.ts';
import { rememberMessage } from './seen.ts';
import { parsePairwiseKind } from './wire.ts';

/**
 * A channel of hybrid sealed boxes: every message stands alone, on every runtime. Make a new one when the
 * peer's sealing key changes.
 * @throws CryptoError `downgraded` when both devices can hold sessions, `wrong-context` for a channel to itself
 */
export function boxChannel(endpoint: PairwiseEndpoint, peer: PairwisePeer): PairwiseChannel {
  const { primitives, random, signer, store, org, device, sealingKey } = endpoint;
  if (choosePairwise(endpoint.record, peer.record) !== 'box')
    throw new CryptoError('downgraded', 'both devices can hold sessions');
  const peerId = peerDevice(endpoint, peer);
  const verifier = primitives.verifier(peer.record.signingPublicKey);
  const outgoing = { org, sender: device, recipient: peerId };
  const incoming = { org, sender: peerId, recipient: device };
  return {
    kind: 'box',
    async seal(plaintext, keep) {
      checkPlaintextSize(plaintext);
      const input = { primitives, random, signer, peer, kind: 'box' as const, pair: outgoing };
      const wire = sealBoxMessage(input, plaintext);
      await store.write(await keep(wire));
      return wire;
    },
    async open(wire, keep) {
      if (parsePairwiseKind(wire) !== 'box')
        throw new CryptoError('ability-missing', 'a session message, although a device cannot hold sessions');
      const message = openBoxMessage({ primitives, verifier, pair: incoming, sealingKey }, wire);
      await endpoint.inTurn(async () => {
        const remembered = await rememberMessage(endpoint, peerId, message);
        await store.write([remembered, ...(await keep(message.plaintext))]);
      });
      return message.plaintext;
    },
  };
}
