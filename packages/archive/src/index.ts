export { openAge, sealAge, type AgeIdentities, type AgeRecipients } from './age/age-file.ts';
export type { Stanza } from './age/header.ts';
export { hybridIdentity, type AgeIdentity } from './age/hybrid.ts';
export { printIdentity, printRecipient, readIdentity, readRecipient } from './age/keys.ts';
export { ArchiveError, type ArchiveErrorCode } from './errors.ts';
