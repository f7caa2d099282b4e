import { BlockList, isIP } from 'node:net';

const own = new BlockList();
for (const [network, prefix] of [
  ['127.0.0.0', 8],
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
] as const)
  own.addSubnet(network, prefix, 'ipv4');
for (const [network, prefix] of [
  ['::1', 128],
  ['fc00::', 7],
  ['fe80::', 10],
] as const)
  own.addSubnet(network, prefix, 'ipv6');

/**
 * Who shares an allowance with this address: an IPv4 address alone, an IPv6 address its /64. `null` for one of this
 * machine or of a private network: that is a proxy which nobody has named, or people under one roof.
 */
export function networkOf(address: string): string | null {
  const plain = address.replace(/^::ffff:(?=[0-9.]+$)/i, '').replace(/%.*$/, '');
  const version = isIP(plain);
  if (version === 0) return 'none';
  if (version === 4) return own.check(plain, 'ipv4') ? null : plain;
  if (own.check(plain, 'ipv6')) return null;
  const [head = '', tail = ''] = plain.toLowerCase().split('::');
  const [before, after] = [head.split(':'), tail === '' ? [] : tail.split(':')];
  const zeros = plain.includes('::') ? 8 - before.length - after.length : 0;
  const groups = [...before, ...Array.from({ length: zeros }, () => '0'), ...after];
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group || '0', 16).toString(16))
    .join(':');
}
