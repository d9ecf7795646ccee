/**
 * What `helm test` runs, with an api's image: every service is ready, and the router sends Muster's paths to Muster. Exits
 * with 1 and says what is wrong. Asks without a token, so it changes nothing.
 */

const { GATEWAY_URL, DISPATCHER_URL, API_URL, ROUTER_URL } = process.env;

const checks = [
  ["gateway is ready", `${GATEWAY_URL}/readyz`, 200],
  ["dispatcher is ready", `${DISPATCHER_URL}/readyz`, 200],
  ["api is ready", `${API_URL}/readyz`, 200],
  ["api describes itself", `${API_URL}/v1/openapi.json`, 200],
];
if (ROUTER_URL !== undefined) {
  checks.push(
    ["router passes /v1 to an api", `${ROUTER_URL}/v1/openapi.json`, 200],
    ["router passes /agent to a gateway, which asks for a token", `${ROUTER_URL}/agent`, 401, "upgrade"],
  );
}

let failed = 0;
for (const [name, url, wanted, kind] of checks) {
  const seen = await (kind === "upgrade" ? upgradeStatus(url) : status(url)).catch(
    (error) => error.cause ?? error,
  );
  const passed = seen === wanted;
  if (!passed) failed++;
  process.stdout.write(`${passed ? "ok  " : "FAIL"} ${name}${passed ? "" : `: ${url} gave ${seen}`}\n`);
}
process.exit(failed === 0 ? 0 : 1);

async function status(url) {
  return (await fetch(url, { signal: AbortSignal.timeout(5_000) })).status;
}

/** fetch sends no upgrade. */
async function upgradeStatus(url) {
  const { request } = await import("node:http");
  const headers = {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": Buffer.alloc(16).toString("base64"),
  };
  return await new Promise((resolve, reject) => {
    request(url, { headers, timeout: 5_000 })
      .on("response", ({ statusCode }) => resolve(statusCode))
      .on("upgrade", (_, socket) => {
        socket.destroy();
        resolve(101);
      })
      .on("timeout", () => reject(new Error("no answer within 5 s")))
      .on("error", reject)
      .end();
  });
}
