/** The NetworkPolicies, asked about single connections: what Muster needs is let through, and what nobody needs is not. */

import { describe, expect, it } from "vitest";
import {
  type KubeObject,
  LEAST,
  NAMESPACE,
  type NetworkRule,
  type Peer,
  type Pod,
  podsOf,
  render,
  selects,
} from "./chart.js";

interface Host {
  labels: Record<string, string>;
  namespace: string;
}
const elsewhere = (namespace: string, labels: Record<string, string> = {}): Host => ({ labels, namespace });

function isPeer(peer: Peer, host: Host): boolean {
  const namespace = { "kubernetes.io/metadata.name": host.namespace };
  if (peer.namespaceSelector === undefined && host.namespace !== NAMESPACE) return false;
  if (peer.namespaceSelector !== undefined && !selects(peer.namespaceSelector, namespace)) return false;
  return peer.podSelector === undefined || selects(peer.podSelector, host.labels);
}

const opens = (
  peers: Peer[] | undefined,
  { ports }: NetworkRule,
  host: Host,
  port: number | string,
  protocol: string,
) =>
  (peers === undefined || peers.some((peer) => isPeer(peer, host))) &&
  (ports === undefined || ports.some((one) => one.port === port && one.protocol === protocol));

class Network {
  readonly #objects: KubeObject[];

  constructor(values: object | string) {
    this.#objects = render(values);
  }

  pod(name: string): Pod & Host {
    const pod =
      podsOf(this.#objects).find((one) => one.name === `muster-${name}`) ?? expect.fail(`no ${name}`);
    return { ...pod, namespace: NAMESPACE };
  }

  /** Whether the pod may dial: by its own policies, if it has some. */
  mayDial(from: Host, to: Host, port: number | string, protocol = "TCP"): boolean {
    const policies = this.#policiesOf(from);
    const rules = policies.flatMap(({ spec }) => spec.egress ?? []);
    return policies.length === 0 || rules.some((rule) => opens(rule.to, rule, to, port, protocol));
  }

  mayBeDialled(to: Host, from: Host): boolean {
    const policies = this.#policiesOf(to);
    const rules = policies.flatMap(({ spec }) => spec.ingress ?? []);
    return policies.length === 0 || rules.some((rule) => opens(rule.from, rule, from, "http", "TCP"));
  }

  connects(from: Host, to: Host, port: number): boolean {
    return this.mayDial(from, to, port) && this.mayBeDialled(to, from);
  }

  #policiesOf(host: Host): KubeObject[] {
    const policies = this.#objects.filter(({ kind }) => kind === "NetworkPolicy");
    return policies.filter(
      ({ spec }) => host.namespace === NAMESPACE && selects(spec.podSelector ?? {}, host.labels),
    );
  }
}

const redis = elsewhere(NAMESPACE, { app: "redis" });
const dns = elsewhere("kube-system");
const livekit = elsewhere("media", { app: "livekit-server" });
const internet = elsewhere("internet");
const prometheus = elsewhere("monitoring");
const ingress = elsewhere("ingress");
const stranger = elsewhere("somewhere");

describe.each(["all-options", "open"])("with peers: %s", (name) => {
  const open = { networkPolicy: { enabled: true }, livekit: { serviceName: "livekit-server" } };
  const network = new Network(name === "open" ? { ...LEAST, ...open } : name);
  const [gateway, dispatcher, api, router] = ["gateway", "dispatcher", "api", "router"].map((one) =>
    network.pod(one),
  );
  if (!gateway || !dispatcher || !api || !router) throw new Error("a service is missing");

  it("everybody finds names, and Muster finds Redis, its sentinels and livekit-server", () => {
    for (const pod of [gateway, dispatcher, api, router]) {
      expect(network.mayDial(pod, dns, 53, "UDP"), pod.name).toBe(true);
      expect(network.mayDial(pod, dns, 53), pod.name).toBe(true);
    }
    for (const pod of [gateway, dispatcher, api])
      for (const port of [6379, 26379]) expect(network.mayDial(pod, redis, port), pod.name).toBe(true);
    // The port of its pods: policies see what Services have resolved to.
    for (const pod of [dispatcher, api, router])
      expect(network.mayDial(pod, livekit, 7880), pod.name).toBe(true);
    expect(network.mayDial(api, internet, 443)).toBe(true);
  });

  it("the router reaches gateways and apis, and who is outside reaches the router", () => {
    expect(network.connects(router, gateway, 7880)).toBe(true);
    expect(network.connects(router, api, 7883)).toBe(true);
    for (const to of [gateway, api, router]) expect(network.mayBeDialled(to, ingress), to.name).toBe(true);
  });

  it("Prometheus reads metrics, and helm test reaches everything", () => {
    for (const to of [gateway, dispatcher, api]) {
      expect(network.mayBeDialled(to, prometheus), to.name).toBe(true);
      expect(network.mayBeDialled(to, network.pod("reachability")), to.name).toBe(true);
    }
    expect(network.mayBeDialled(router, network.pod("reachability"))).toBe(true);
  });

  it("nobody dials what it has no business with", () => {
    expect(network.mayDial(gateway, internet, 443)).toBe(false);
    expect(network.mayDial(gateway, livekit, 7880)).toBe(false);
    expect(network.mayDial(router, redis, 6379)).toBe(false);
    expect(network.mayDial(dispatcher, internet, 25)).toBe(false);
  });
});

it("where peers are named, others are kept out, and agent pools are not", () => {
  const network = new Network("all-options");
  for (const name of ["gateway", "dispatcher", "api", "router"])
    expect(network.mayBeDialled(network.pod(name), stranger), name).toBe(false);
  expect(network.mayBeDialled(network.pod("dispatcher"), ingress)).toBe(false);
  expect(network.mayDial(network.pod("gateway"), stranger, 6379)).toBe(false);
  for (const pool of ["agent-support", "agent-sales"])
    expect(network.connects(network.pod(pool), network.pod("router"), 8080), pool).toBe(true);
});

it("without a livekit-server nobody may look for one", () => {
  const network = new Network({ ...LEAST, networkPolicy: { enabled: true, webhooks: { ports: [8443] } } });
  for (const name of ["dispatcher", "api", "router"])
    expect(network.mayDial(network.pod(name), livekit, 7880), name).toBe(false);
});
