import {
  defaultCapabilities,
  defaultLifetime,
  generateKeyPackage,
  getCiphersuiteFromName,
  getCiphersuiteImpl,
  type CiphersuiteImpl,
  type CiphersuiteName,
} from 'ts-mls';

export type Member = Awaited<ReturnType<typeof generateKeyPackage>>;

export function openSuite(name: CiphersuiteName): Promise<CiphersuiteImpl> {
  return getCiphersuiteImpl(getCiphersuiteFromName(name));
}

/** So many members with keys of their own. */
export async function makeMembers(suite: CiphersuiteImpl, count: number): Promise<Member[]> {
  const members: Member[] = [];
  for (let index = 0; index < count; index += 1) {
    const identity = new TextEncoder().encode(`member ${index}`);
    const credential = { credentialType: 'basic', identity } as const;
    members.push(await generateKeyPackage(credential, defaultCapabilities(), defaultLifetime, [], suite));
  }
  return members;
}

/** Proposals that add these members. */
export function additions(members: readonly Member[]) {
  return members.map(({ publicPackage }) => ({
    proposalType: 'add' as const,
    add: { keyPackage: publicPackage },
  }));
}
