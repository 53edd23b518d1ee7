/** When an answer is over: sent, or its connection gone. One that waits behind another on its connection has no end itself. */
import type { IncomingMessage, ServerResponse } from 'node:http';

export function onceOver({ socket }: IncomingMessage, response: ServerResponse, run: () => void): void {
  const over = (): void => {
    response.off('close', over);
    socket.off('close', over);
    run();
  };
  response.once('close', over);
  // As many as were asked at once.
  socket.setMaxListeners(0).once('close', over);
}
