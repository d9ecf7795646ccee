/**
 * An agent to try Muster with, written as for LiveKit alone: it takes each job that is dispatched to "example", asks
 * LiveKit's API about the room, joins it, and says what it does. LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET as for
 * any agent; AGENT_PORT and AGENT_HOST are where the SDK answers whoever asks after its health.
 */

import { fileURLToPath } from "node:url";
import { cli, defineAgent, ServerOptions } from "@livekit/agents";
import { RoomServiceClient } from "livekit-server-sdk";

const { LIVEKIT_URL = "", LIVEKIT_API_KEY, LIVEKIT_API_SECRET } = process.env;
const { AGENT_HOST = "0.0.0.0", AGENT_PORT = "8081" } = process.env;
const self = fileURLToPath(import.meta.url);

const say = (line) => process.stdout.write(`${line}\n`);

export default defineAgent({
  entry: async (ctx) => {
    const { id, room } = ctx.job;
    say(`job ${id} for room ${room.name}: ${ctx.job.metadata || "no metadata"}`);
    const rooms = new RoomServiceClient(
      LIVEKIT_URL.replace(/^ws/, "http"),
      LIVEKIT_API_KEY,
      LIVEKIT_API_SECRET,
    );
    const [described] = await rooms.listRooms([room.name]);
    say(`job ${id}: LiveKit knows ${described?.numParticipants ?? 0} participants of ${room.name}`);
    ctx.addShutdownCallback(async () => say(`job ${id} ends`));
    await ctx.connect();
    say(`job ${id}: in the room as ${ctx.agent?.identity}`);
  },
});

// The SDK loads this file again for each job; only as the main program is it a worker.
if (process.argv[1] === self) {
  const address = { host: AGENT_HOST, port: Number(AGENT_PORT) };
  cli.runApp(new ServerOptions({ agent: self, agentName: "example", numIdleProcesses: 1, ...address }));
}
