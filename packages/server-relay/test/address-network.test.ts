import { expect, test } from 'vitest';
import { networkOf } from '../src/address-network.ts';

test.each([
  ['203.0.113.7', '203.0.113.7'],
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:0DB8:1:2::9', '2001:db8:1:2'],
  ['2001:db8::9', '2001:db8:0:0'],
  ['2001:db8::3:4:5:6:7', '2001:db8:0:3'],
  ['::9', '0:0:0:0'],
  ['unknown', 'none'],
  ['', 'none'],
  ['127.0.0.1', null],
  ['::ffff:10.1.2.3', null],
  ['192.168.0.9', null],
  ['::1', null],
  ['fe80::1%eth0', null],
  ['fd00::1', null],
])('%s shares an allowance with %s', (address, network) => expect(networkOf(address)).toBe(network));
