import { usageError } from './usage.ts';

/** The origin of a relay's address as somebody typed it. @throws CliError `usage` for anything more or else */
export function relayOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (
    url === null ||
    !/^https?:$/.test(url.protocol) ||
    url.pathname !== '/' ||
    url.search + url.hash !== ''
  ) {
    throw usageError('--relay is not the address of a relay', 'Give it as https://relay.example.org');
  }
  return url.origin;
}
