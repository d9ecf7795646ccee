/** Streams of events as a dashboard has them: one that stays, and others that come and go. */

const DEADLINE_MS = 10_000;

/** Opens one and leaves it again. */
export async function openStream(api: string, token: string): Promise<void> {
  const left = new AbortController();
  const answer = await stream(api, token, AbortSignal.any([left.signal, AbortSignal.timeout(DEADLINE_MS)]));
  left.abort();
  if (!answer.ok) throw new Error(`${answer.status}`);
}

/** Listens until the answer is called; `onCut` when somebody else ends it. */
export async function listen(api: string, token: string, onCut: () => void): Promise<() => void> {
  const left = new AbortController();
  const answer = await stream(api, token, left.signal);
  if (!answer.ok) throw new Error(`the honest listener was refused with ${answer.status}`);
  const read = async () => {
    for await (const _ of answer.body ?? []) if (left.signal.aborted) return;
  };
  const ended = () => {
    if (!left.signal.aborted) onCut();
  };
  void read().then(ended, ended);
  return () => left.abort();
}

async function stream(api: string, token: string, signal: AbortSignal): Promise<Response> {
  return await fetch(`${api}/v1/events`, { headers: { authorization: `Bearer ${token}` }, signal });
}
