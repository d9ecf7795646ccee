/** Owns calls of the REST API in a cluster: of the api that is named, whatever its build. */
import { adminToken } from "../../kit/access-tokens.js";
import type { Cluster } from "../harness.js";

/** Far above what a call takes, also on a machine that much else shares. */
const CALL_LIMIT_MS = 20_000;

export interface RestAnswer {
  id: string;
  jobs: { id: string }[];
}

/** Throws with what the api said when it was not taken. */
export async function callRest(
  cluster: Cluster,
  api: string,
  method: string,
  path: string,
  body?: object,
): Promise<RestAnswer> {
  const answer = await fetch(`${cluster.member(api).url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${adminToken(cluster.key, cluster.secret)}`,
      "content-type": "application/json",
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(CALL_LIMIT_MS),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path} of ${api}: ${answer.status} ${text}`);
  return (text === "" ? {} : JSON.parse(text)) as RestAnswer;
}
