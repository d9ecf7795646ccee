/**
 * Owns what a Redis url says: one server, Sentinel or Cluster, with or without TLS, credentials and database.
 * A list of hosts is no WHATWG url, so it is read by hand. No error names anything of the url but its scheme and the
 * names of its parameters: in a mistyped url the password may stand anywhere.
 */
import { DispatchError } from "@muster/domain/errors";

export interface RedisHost {
  host: string;
  port: number;
}

interface Common {
  tls: boolean;
  hosts: [RedisHost, ...RedisHost[]];
  username: string | undefined;
  password: string | undefined;
}

export type RedisTarget =
  | (Common & { kind: "single"; db: number })
  | (Common & {
      kind: "sentinel";
      db: number;
      masterName: string;
      /** The sentinels' own password; `username` and `password` are those of the servers behind them. */
      sentinelPassword: string | undefined;
    })
  | (Common & { kind: "cluster" });

const SCHEMES = {
  redis: { kind: "single", tls: false },
  rediss: { kind: "single", tls: true },
  "redis+sentinel": { kind: "sentinel", tls: false },
  "rediss+sentinel": { kind: "sentinel", tls: true },
  "redis+cluster": { kind: "cluster", tls: false },
  "rediss+cluster": { kind: "cluster", tls: true },
} as const;

const DEFAULT_PORT = { single: 6379, sentinel: 26379, cluster: 6379 } as const;
const MAX_DB = 65_535;

const PARAMETERS = {
  single: ["db"],
  sentinel: ["db", "sentinelPassword"],
  cluster: [],
} as const satisfies Record<RedisTarget["kind"], readonly string[]>;

/**
 * Forms: `redis://[user:password@]host[:port][/db]`, `redis+sentinel://[user:password@]h1[:p1],h2[:p2]/master[?db=N]`,
 * `redis+cluster://[user:password@]h1[:p1],h2[:p2]`; `rediss` in place of `redis` means TLS. User and password are
 * percent-encoded. Throws DispatchError that says what is wrong with the url.
 */
export function parseRedisUrl(url: string): RedisTarget {
  const parts = /^([a-z+]+):\/\/([^?#]*)(?:\?([^#]*))?$/i.exec(url.trim());
  if (parts === null) throw bad("must look like redis://host:port");
  const scheme = Object.entries(SCHEMES).find(([name]) => name === parts[1]?.toLowerCase())?.[1];
  if (scheme === undefined) {
    throw bad(`has the unknown scheme "${parts[1]}"; known are ${Object.keys(SCHEMES).join(", ")}`);
  }
  const rest = parts[2] ?? "";
  const at = rest.lastIndexOf("@");
  const slash = rest.indexOf("/", at + 1);
  const path = slash === -1 ? "" : rest.slice(slash + 1).replace(/\/$/, "");
  const common = {
    tls: scheme.tls,
    hosts: hostList(rest.slice(at + 1, slash === -1 ? undefined : slash), scheme.kind),
    ...credentials(at === -1 ? "" : rest.slice(0, at)),
  };
  const parameters = parameterMap(parts[3] ?? "", scheme.kind);
  switch (scheme.kind) {
    case "single":
      if (path !== "" && parameters.has("db")) throw bad("names the database twice, in its path and as db");
      return { kind: "single", ...common, db: database(path === "" ? parameters.get("db") : path) };
    case "sentinel":
      if (path === "")
        throw bad("must end with the name of the Sentinel master: redis+sentinel://host:port/name");
      return {
        kind: "sentinel",
        ...common,
        masterName: decoded(path, "the master's name"),
        db: database(parameters.get("db")),
        sentinelPassword: parameters.get("sentinelPassword"),
      };
    case "cluster":
      if (path !== "" && path !== "0") throw bad("must not name a database: Redis Cluster only has 0");
      return { kind: "cluster", ...common };
  }
}

/** The url without credentials, for logs. Throws as parseRedisUrl does. */
export function describeRedisUrl(url: string): string {
  const target = parseRedisUrl(url);
  const scheme = (target.tls ? "rediss" : "redis") + (target.kind === "single" ? "" : `+${target.kind}`);
  const hosts = target.hosts.map(({ host, port }) => `${host.includes(":") ? `[${host}]` : host}:${port}`);
  const base = `${scheme}://${hosts.join(",")}`;
  switch (target.kind) {
    case "single":
      return target.db === 0 ? base : `${base}/${target.db}`;
    case "sentinel":
      return `${base}/${target.masterName}${target.db === 0 ? "" : `?db=${target.db}`}`;
    case "cluster":
      return base;
  }
}

function hostList(text: string, kind: RedisTarget["kind"]): [RedisHost, ...RedisHost[]] {
  const [first, ...others] = text.split(",").map((part, index) => hostAndPort(part.trim(), index + 1, kind));
  if (first === undefined) throw bad("names no host");
  if (kind === "single" && others.length > 0) {
    throw bad("lists several hosts; write redis+cluster:// or redis+sentinel:// for these");
  }
  return [first, ...others];
}

function hostAndPort(text: string, position: number, kind: RedisTarget["kind"]): RedisHost {
  const parts = /^(?:\[([0-9a-f:.]+)\]|([^\s:[\]]+))(?::(.*))?$/i.exec(text);
  const host = parts?.[1] ?? parts?.[2];
  if (host === undefined)
    throw bad(`has no readable host at position ${position} (IPv6 is written [::1]:6379)`);
  if (parts?.[3] === undefined) return { host, port: DEFAULT_PORT[kind] };
  const port = /^\d{1,5}$/.test(parts[3]) ? Number(parts[3]) : 0;
  if (port < 1 || port > 65_535) {
    throw bad(`has no port between 1 and 65535 behind host ${position} (credentials end with an "@")`);
  }
  return { host, port };
}

function credentials(text: string): Pick<Common, "username" | "password"> {
  if (text === "") return { username: undefined, password: undefined };
  const colon = text.indexOf(":");
  const username = decoded(colon === -1 ? text : text.slice(0, colon), "the user name");
  const password = colon === -1 ? "" : decoded(text.slice(colon + 1), "the password");
  return {
    username: username === "" ? undefined : username,
    password: password === "" ? undefined : password,
  };
}

function parameterMap(query: string, kind: RedisTarget["kind"]): Map<string, string> {
  const known: readonly string[] = PARAMETERS[kind];
  if (query.includes("@"))
    throw bad('has an "@" behind its "?"; percent-encode the "?" of a password as %3F');
  const parameters = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    if (!known.includes(name)) {
      throw bad(
        `has the unknown parameter "${name}"${known.length > 0 ? `; known are ${known.join(", ")}` : ""}`,
      );
    }
    parameters.set(name, value);
  }
  return parameters;
}

function database(text: string | undefined): number {
  if (text === undefined || text === "") return 0;
  const db = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  if (db < 0 || db > MAX_DB) throw bad(`must name its database by a number between 0 and ${MAX_DB}`);
  return db;
}

function decoded(text: string, what: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw bad(`has a "%" in ${what} that is not percent-encoding; write it as %25`);
  }
}

function bad(problem: string): DispatchError {
  return new DispatchError("invalid_argument", `the Redis url ${problem}`);
}
