/**
 * A stock Node agent worker as its users run one, less the inference child that a test has no use for.
 * `AGENT_NAME`, `LIVEKIT_URL`, `LIVEKIT_API_KEY`, `LIVEKIT_API_SECRET` and `AGENT_RECORD` come from the environment;
 * `AGENT_FILE` names another agent beside this file.
 */

import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { AgentServer, InferenceRunner, initializeLogger, ServerOptions } from "@livekit/agents";

InferenceRunner.registerRunner = () => {};
initializeLogger({ pretty: false, level: "warn" });

const server = new AgentServer(
  new ServerOptions({
    agent: fileURLToPath(new URL(process.env.AGENT_FILE ?? "./agent.mjs", import.meta.url)),
    agentName: process.env.AGENT_NAME,
    wsURL: process.env.LIVEKIT_URL,
    apiKey: process.env.LIVEKIT_API_KEY,
    apiSecret: process.env.LIVEKIT_API_SECRET,
    numIdleProcesses: 1,
    simulation: true,
    loadFunc: async () => 0.25,
    // With AGENT_ANSWERS_AFTER it thinks for so many seconds before it takes a job, as one that asks a database does.
    requestFunc: async (request) => {
      await pause(Number(process.env.AGENT_ANSWERS_AFTER ?? 0) * 1_000);
      await request.accept();
    },
  }),
);
server.event.on("worker_registered", (id) => process.stdout.write(`registered ${id}\n`));
await server.run();
