import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { inviteIdOf, parseInviteLink, type InviteId } from '@keytide/key-directory';

/** The id of the invite in a link: who logs in to accept it. */
export function inviteOf(link: string): InviteId {
  const { publicKey } = parseInviteLink(link).seed.use((seed) => primitives.signer(seed));
  return inviteIdOf(primitives, publicKey);
}
