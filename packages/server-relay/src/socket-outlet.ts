import type { WebSocket } from 'ws';
import type { Outlet } from './subscription.ts';

/** Sends on a socket and knows how much of it is still here. */
export interface SocketOutlet extends Outlet {
  /** Bytes given to the socket that have not left this process. */
  backlogBytes(): number;
}

/** An outlet that lags above `lagBytes`, is behind above a sixteenth of it, and counts as drained below a quarter of it. */
export function createSocketOutlet(socket: WebSocket, lagBytes: number): SocketOutlet {
  const drainedBytes = lagBytes / 4;
  let waiting: (() => void)[] = [];
  function settle(): void {
    // After every frame, and hardly ever for anybody.
    if (waiting.length === 0) return;
    if (socket.readyState === socket.OPEN && socket.bufferedAmount > drainedBytes) return;
    const calls = waiting;
    waiting = [];
    for (const call of calls) call();
  }
  socket.on('close', settle);
  return {
    send(frame) {
      if (socket.readyState === socket.OPEN) socket.send(frame, settle);
    },
    backlogBytes: () => socket.bufferedAmount,
    isLagging: () => socket.bufferedAmount > lagBytes,
    isBehind: () => socket.bufferedAmount > lagBytes / 16,
    drained() {
      const drained = new Promise<void>((resolve) => waiting.push(resolve));
      settle();
      return drained;
    },
  };
}
