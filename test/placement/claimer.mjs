/**
 * A process that claims: it tries the jobs and serves the pools that it is told of, on a connection of its own, and says what
 * came of it. Started by claimers.ts with Redis's url and the namespace.
 */
import { createLedger } from "@muster/ledger/ledger";
import { createLog } from "@muster/runtime/log";
import { connectRedis } from "@muster/runtime/redis/connect";

const [url, namespace] = process.argv.slice(2);
const ledger = createLedger(
  connectRedis({ url, name: "claimer", log: createLog({ level: "silent", service: "claimer" }) }),
);
const claim = { namespace, offerMs: 60_000, scan: 32 };

async function run({ job, pool }) {
  if (job !== undefined) return [await ledger.admit({ ...claim, job, retryMs: 20 })];
  const replies = [];
  do replies.push(await ledger.serve({ ...claim, pool, heads: 32 }));
  while (replies.at(-1).status === "offered");
  return replies;
}

process.on("message", (request) => {
  run(request).then(
    (replies) => process.send({ request, replies }),
    (error) => process.send({ request, error: String(error) }),
  );
});
process.on("disconnect", () => process.exit(0));
process.send({ ready: true });
