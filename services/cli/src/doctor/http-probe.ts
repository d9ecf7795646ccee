/**
 * One request of a check: bounded in time and size, never along a redirect. What comes back, or why nothing did, are both
 * answers; it never rejects.
 */

import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";

const MAX_BODY_BYTES = 512 * 1024;

export interface Answer {
  status: number;
  body: string;
  headers: Headers;
  sentAtMs: number;
  answeredAtMs: number;
}

export type Probed = Answer | { problem: string };

export interface ProbeOptions {
  timeoutMs: number;
  now: () => number;
  method?: "GET" | "POST";
  headers?: Record<string, string>;
  body?: string;
}

export async function probe(url: string, { timeoutMs, now, ...init }: ProbeOptions): Promise<Probed> {
  const sentAtMs = now();
  try {
    const response = await fetch(url, {
      ...init,
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    });
    const answeredAtMs = now();
    return {
      status: response.status,
      body: await bodyOf(response),
      headers: response.headers,
      sentAtMs,
      answeredAtMs,
    };
  } catch (error) {
    return { problem: reasonOf(error, timeoutMs) };
  }
}

/**
 * Asks for a WebSocket, without ever opening one: the status of the answer, 101 included. What stands between may drop the
 * wish to upgrade, which its answer then shows.
 */
export function probeUpgrade(
  url: string,
  timeoutMs: number,
): Promise<{ status: number; body: string } | { problem: string }> {
  const request = url.startsWith("https:") ? httpsRequest : httpRequest;
  return new Promise((resolve) => {
    const asked = request(url, {
      headers: {
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        // Any sixteen bytes: nobody answers to them.
        "sec-websocket-key": "bXVzdGVyLWRvY3Rvci0xMg==",
      },
      signal: AbortSignal.timeout(timeoutMs),
    });
    asked.once("upgrade", (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode ?? 101, body: "" });
    });
    asked.once("response", (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        body = (body + chunk).slice(0, MAX_BODY_BYTES);
      });
      response.once("end", () => resolve({ status: response.statusCode ?? 0, body }));
      response.once("error", (error) => resolve({ problem: reasonOf(error, timeoutMs) }));
    });
    asked.once("error", (error) => resolve({ problem: reasonOf(error, timeoutMs) }));
    asked.end();
  });
}

async function bodyOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > MAX_BODY_BYTES) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function reasonOf(error: unknown, timeoutMs: number): string {
  const { name, cause, message, code } = error as Error & { code?: string };
  if (name === "TimeoutError" || name === "AbortError") return `no answer within ${timeoutMs} ms`;
  // fetch says "fetch failed"; what happened stands in its cause.
  const inner = cause instanceof Error ? (cause as Error & { code?: string }) : undefined;
  return inner?.message || inner?.code || message || code || name;
}
