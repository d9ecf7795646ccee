/**
 * Loaded into a process under test before its own code: its connections to some ports of this machine lead to others.
 * A Redis Cluster and a Sentinel tell their clients where to connect, past any proxy; this puts the proxies below the
 * client, where the network is, so that the client is none the wiser. DETOURS holds `port:instead`, comma-separated.
 */
import { Socket } from "node:net";

const instead = new Map((process.env.DETOURS ?? "").split(",").map((pair) => pair.split(":").map(Number)));
const connect = Socket.prototype.connect;

Socket.prototype.connect = function detoured(...args) {
  // Node's own net.connect() hands over its arguments read and in a list.
  const options = Array.isArray(args[0]) ? args[0][0] : args[0];
  const port = instead.get(Number(options?.port));
  if (port !== undefined) options.port = port;
  return connect.apply(this, args);
};
