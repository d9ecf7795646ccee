/**
 * `node healthcheck.mjs <default port> [path]`: exits 0 when the service beside it answers well, 1 with why when not. Asks
 * /healthz unless told otherwise: who restarts containers by their health must not do so because Redis is away.
 * A port or address that is set in a --config file is not seen here: set MUSTER_PORT and MUSTER_HOST instead.
 */

const [defaultPort, path = "/healthz"] = process.argv.slice(2);
const { MUSTER_PORT, MUSTER_HOST } = process.env;
/** Below the timeout of the HEALTHCHECK, so that why it failed is still said. */
const DEADLINE_MS = 2_500;

const isEverywhere = !MUSTER_HOST || MUSTER_HOST === "0.0.0.0" || MUSTER_HOST === "::";
const host = isEverywhere ? "127.0.0.1" : MUSTER_HOST.includes(":") ? `[${MUSTER_HOST}]` : MUSTER_HOST;
const url = `http://${host}:${MUSTER_PORT || defaultPort}${path}`;
try {
  const answer = await fetch(url, { signal: AbortSignal.timeout(DEADLINE_MS) });
  if (!answer.ok) fail(`${answer.status} ${await answer.text()}`);
} catch (error) {
  fail(error.cause?.message ?? error.message);
}

function fail(why) {
  process.stdout.write(`${url}: ${why}\n`);
  process.exit(1);
}
