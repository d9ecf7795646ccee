/** Owns finding out which dispatcher hosts a namespace: nothing says so, but who claims its jobs counts them. */
import { waitUntil } from "../kit/wait-until.js";
import type { Cluster } from "./harness.js";

/** Gives the agent a first job, in the room "host", which its worker must end by itself. */
export async function hostOf(cluster: Cluster, agent: string): Promise<string> {
  const id = await cluster.jobOf(await cluster.submit({ room: "host", agent }));
  await waitUntil("the first job is over", async () => (await cluster.job(id)).state === "ended");
  const claims = await Promise.all(
    cluster.names("dispatcher").map(async (name) => {
      const text = await (await fetch(`${cluster.member(name).url}/metrics`)).text();
      return { name, claimed: Number(/^muster_jobs_claimed_total (\S+)$/m.exec(text)?.[1] ?? 0) };
    }),
  );
  const host = claims.find(({ claimed }) => claimed > 0);
  if (host === undefined) throw new Error("no dispatcher says that it claimed the job");
  return host.name;
}
