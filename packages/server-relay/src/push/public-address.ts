import { BlockList, isIP } from 'node:net';

// IANA special-purpose registries (RFC 6890 and its updates), multicast and the reserved rest.
const NOT_PUBLIC_IPV4: readonly (readonly [net: string, bits: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
];

// Within 2000::/3; everything outside of it is not public anyway.
const NOT_PUBLIC_IPV6: readonly (readonly [net: string, bits: number])[] = [
  ['2001::', 23], // protocol assignments, Teredo among them
  ['2001:db8::', 32],
  ['2002::', 16], // 6to4: an IPv4 address of any sort inside
  ['3fff::', 20],
];

const ipv4 = new BlockList();
for (const [net, bits] of NOT_PUBLIC_IPV4) ipv4.addSubnet(net, bits, 'ipv4');
const ipv6 = new BlockList();
for (const [net, bits] of NOT_PUBLIC_IPV6) ipv6.addSubnet(net, bits, 'ipv6');
const globalUnicast = new BlockList();
globalUnicast.addSubnet('2000::', 3, 'ipv6');

/** Whether this IP address, as text, is one of the public internet. False for everything else. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !ipv4.check(address, 'ipv4');
  return family === 6 && globalUnicast.check(address, 'ipv6') && !ipv6.check(address, 'ipv6');
}
