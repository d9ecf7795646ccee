/**
 * Every operation of more than one step, killed behind each single command that it sends to Redis: after the recovery all
 * is as it would be without. The services are real processes; each point has one of its own to lose.
 */
import { describe, it } from "vitest";
import { apiOperations } from "./api-operations.js";
import { dispatcherOperations } from "./dispatcher-operations.js";
import { gatewayOperations } from "./gateway-operations.js";
import { runSuite } from "./suite.js";

const LIMIT_MS = 400_000;

// Side by side, since most of their time is spent in waiting for leases and timers.
describe.concurrent("dying behind any command changes nothing in the end", () => {
  it("of the api", () => runSuite({ victims: "api" }, apiOperations), LIMIT_MS);

  it("of a gateway", () => runSuite({ victims: "gateway" }, gatewayOperations), LIMIT_MS);

  // The gateway waits for an answer for longer than the ledger does, so that it is the dispatcher who ends the offer.
  const env = { gateway: { MUSTER_OFFER_TIMEOUT_MS: "20000", MUSTER_OFFER_TIMEOUT_MAX_MS: "20000" } };
  it("of a dispatcher", () => runSuite({ victims: "dispatcher", env }, dispatcherOperations), LIMIT_MS);
});
