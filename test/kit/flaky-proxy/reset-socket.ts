/**
 * Owns how a socket is reset. Node's resetAndDestroy() is no reset: it first sends what is unsent and a FIN, so that a
 * peer mostly sees a plain end, and one that does not read sees nothing at all.
 */
import type { Socket } from "node:net";

/** RST, at once; what is unsent is discarded. */
export function resetSocket(socket: Socket): void {
  // While its FIN is under way libuv refuses a reset, and the handle would stay open for ever.
  const isEnding = socket.writableEnded && !socket.writableFinished;
  // Node's own mark for it, which destroy() obeys; the tests see whether it still does.
  if (!isEnding) Object.assign(socket, { resetAndClosing: true });
  socket.destroy();
}
