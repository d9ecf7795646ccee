/** Whether a port of another machine takes connections from this one. Says nothing to whoever is there. */

import { connect } from "node:net";

/** undefined when it does; otherwise why not. Never rejects. */
export function whyUnreachable(
  { host, port }: { host: string; port: number },
  timeoutMs: number,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const settle = (problem: string | undefined) => {
      socket.destroy();
      resolve(problem);
    };
    socket.setTimeout(timeoutMs, () => settle(`no answer within ${timeoutMs} ms`));
    socket.once("connect", () => settle(undefined));
    socket.once("error", (error: Error & { code?: string }) => settle(error.code ?? error.message));
  });
}
