/** Whoever can be shown by name. */
interface Named {
  readonly id: string;
  readonly handle: string;
}

/**
 * The name to show for a member: the handle, with the start of the member's id where another member has the
 * same one, since everybody chooses their own.
 */
export function displayName(member: Named, members: readonly Named[]): string {
  const isShared = members.some(
    (other) => other.id !== member.id && fold(other.handle) === fold(member.handle),
  );
  return isShared ? `${member.handle}#${member.id.slice(0, 6)}` : member.handle;
}

function fold(handle: string): string {
  return handle.normalize('NFKC').toLowerCase();
}
