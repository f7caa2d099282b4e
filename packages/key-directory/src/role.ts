/**
 * What a member may do in the membership log. An `admin` may do everything; a `member` and an `exporter`
 * may add and revoke their own devices only. What an exporter may do beyond that is for the archive.
 */
export type Role = 'admin' | 'member' | 'exporter';

/** All roles, for menus and schemas. */
export const ROLES: readonly ['admin', 'member', 'exporter'] = ['admin', 'member', 'exporter'];
