import { concatBytes, uint32Bytes } from '@keytide/crypto-core';
import { z } from 'zod';
import { ProtocolError } from './errors.ts';
import { exactBytes, place } from './json-fields.ts';
import { LIMITS } from './limits.ts';
import { decodeRelayFrame, encodeRelayFrame, type RelayFrame } from './relay-frames.ts';

/**
 * Query of `GET /v1/organisations/:org/groups/:group/entries`: the newest seq that is known, left out for a welcome and
 * nothing else; the timeline that it is of, needed above 0; and for how many seconds to wait for something new.
 */
export const pollQuery: z.ZodType<{ after?: number; timeline?: Uint8Array; wait: number }> = z.strictObject({
  after: place.exactOptional(),
  timeline: exactBytes(LIMITS.timelineBytes).exactOptional(),
  wait: place.pipe(z.int().max(LIMITS.pollSeconds)),
});

/** Frames one after the other, each behind its length in 4 bytes: what a socket would have carried (docs/spec/frames.md). */
export function encodeFrameList(frames: readonly RelayFrame[]): Uint8Array {
  return concatBytes(
    ...frames.flatMap((frame) => {
      const bytes = encodeRelayFrame(frame);
      return [uint32Bytes(bytes.length), bytes];
    }),
  );
}

/** The frames of such a list. @throws ProtocolError `malformed`, and as `decodeRelayFrame` */
export function decodeFrameList(bytes: Uint8Array): RelayFrame[] {
  const frames: RelayFrame[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes.length - at < 4) throw new ProtocolError('malformed', 'not a list of frames');
    const size = new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0);
    if (size > bytes.length - at - 4) throw new ProtocolError('malformed', 'not a list of frames');
    frames.push(decodeRelayFrame(bytes.subarray(at + 4, at + 4 + size)));
    at += 4 + size;
  }
  return frames;
}
