import { clientDecoders } from './client-decoders.ts';
import { formats } from './crypto-core-formats.ts';
import { sealedFormats } from './crypto-core-sealed.ts';
import type { Decoder } from './decoder.ts';
import { directoryDecoders } from './directory-decoders.ts';
import { pairwiseDecoders } from './pairwise-decoders.ts';
import { protocolDecoders } from './protocol-decoders.ts';
import { transparencyDecoders } from './transparency-decoders.ts';

/** Every reader of untrusted bytes that the fuzz suite knows. */
export const decoders: readonly Decoder[] = [
  ...formats,
  ...sealedFormats,
  ...pairwiseDecoders,
  ...directoryDecoders,
  ...transparencyDecoders,
  ...protocolDecoders,
  ...clientDecoders,
];
