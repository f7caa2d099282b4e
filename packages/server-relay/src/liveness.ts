import type { Socket } from 'node:net';
import type { SocketOutlet } from './socket-outlet.ts';

/**
 * Answers, each time it is called, whether the peer showed life since the call before: bytes came in (the
 * answer to a ping at least), or a backlog shrank. Without a backlog, sending proves nothing: the kernel takes
 * bytes for a peer that is long gone.
 */
export function createLiveness(tcp: Socket, outlet: SocketOutlet): () => boolean {
  let received = -1;
  let sent = 0;
  let hadBacklog = false;
  return () => {
    const sentNow = tcp.bytesWritten - outlet.backlogBytes();
    const alive = tcp.bytesRead !== received || (hadBacklog && sentNow > sent);
    received = tcp.bytesRead;
    sent = sentNow;
    hadBacklog = outlet.backlogBytes() > 0;
    return alive;
  };
}
