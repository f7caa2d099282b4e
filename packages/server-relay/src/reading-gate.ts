import type { WebSocket } from 'ws';

/** Stops and resumes reading from a socket. What was already read still arrives. */
export interface ReadingGate {
  isHeld(): boolean;
  /** Reads nothing until `release` is called; with several holds, until all are released. */
  hold(): () => void;
}

/** A gate that is open. */
export function createReadingGate(socket: WebSocket): ReadingGate {
  let holds = 0;
  return {
    isHeld: () => holds > 0,
    hold() {
      holds += 1;
      socket.pause();
      let released = false;
      return () => {
        if (released) return;
        released = true;
        holds -= 1;
        if (holds === 0) socket.resume();
      };
    },
  };
}
