/** Calls as backends make them. Each rejects with the answer when that is not 200, and after a while without one. */

const DEADLINE_MS = 10_000;

export async function orderAgent(api: string, token: string, room: string, agent: string): Promise<void> {
  await call(`${api}/twirp/livekit.AgentDispatchService/CreateDispatch`, token, { room, agent_name: agent });
}

export async function listRooms(api: string, token: string): Promise<void> {
  await call(`${api}/twirp/livekit.RoomService/ListRooms`, token, {});
}

async function call(url: string, token: string, body: object): Promise<void> {
  const answer = await fetch(url, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${answer.status} ${text.slice(0, 200)}`);
}
