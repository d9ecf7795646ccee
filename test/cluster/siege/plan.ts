/** Owns what a siege is: how long, how large, and the seed that everything by chance comes from. */

export interface SiegePlan {
  readonly seed: number;
  /** How long faults are made; before and after it takes some time more. */
  readonly faultsMs: number;
  readonly zones: readonly string[];
  readonly gateways: number;
  readonly dispatchers: number;
  readonly apis: number;
  readonly workersPerZone: number;
  readonly ordersPerSecond: number;
  /** Between the recovery from one fault and the next. */
  readonly pauseMs: readonly [least: number, most: number];
  /** How long ended jobs are kept: longer than any outage, and short, since every look reads what is kept. */
  readonly retentionMs: number;
  /** A Cluster has replicas here: beside all else its slots move, and its masters change. */
  readonly store: "single" | "cluster";
}

export function shortSiege(seed: number): SiegePlan {
  return {
    seed,
    faultsMs: 25_000,
    zones: ["north", "south"],
    gateways: 2,
    dispatchers: 2,
    apis: 2,
    workersPerZone: 20,
    ordersPerSecond: 15,
    pauseMs: [100, 800],
    retentionMs: 20_000,
    store: "single",
  };
}

export function longSiege(seed: number, minutes: number): SiegePlan {
  return {
    ...shortSiege(seed),
    faultsMs: minutes * 60_000,
    zones: ["north", "south", "east"],
    gateways: 3,
    workersPerZone: 60,
    // Over half an hour a machine has its slow moments, and what is swept between two looks looks lost.
    retentionMs: 60_000,
    ordersPerSecond: 25,
    pauseMs: [500, 2_500],
  };
}
