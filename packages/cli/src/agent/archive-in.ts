/** Where the archive of this name is at a destination. */
export function archiveIn(destination: string, name: string): string {
  return `${destination.replace(/\/+$/, '')}/${name}`;
}
