/** Owns which strategies are compared. To add one is one line here. */
import type { Ledger } from "@muster/ledger/ledger";
import type { PlacementPolicy } from "@muster/ledger/shapes";
import { LivekitPlacement } from "./livekit.js";
import { MusterPlacement } from "./muster.js";
import type { Settings } from "./options.js";
import type { Placement } from "./placement.js";

export interface Strategy {
  readonly name: string;
  /** Of one run; the namespace is its own. */
  make(ledger: Ledger, namespace: string, settings: Settings): Placement;
}

export const STRATEGIES: readonly Strategy[] = [
  muster("Muster spread", { strategy: "spread" }),
  muster("Muster pack", { strategy: "pack" }),
  muster("Muster weighted", { strategy: "weighted" }),
  livekit(1),
  livekit(3),
];

function muster(name: string, placement: PlacementPolicy): Strategy {
  return {
    name,
    make: (ledger, namespace, { JOB_LOAD, TARGET, CAP }) => {
      const policy = { cost: JOB_LOAD, maxLoad: TARGET, cap: CAP };
      return new MusterPlacement({ ledger, namespace, policy, placement });
    },
  };
}

function livekit(nodes: number): Strategy {
  return {
    name: `LiveKit, ${nodes} ${nodes === 1 ? "node" : "nodes"}`,
    make: (_ledger, _namespace, { SEED, TARGET }) =>
      new LivekitPlacement({ nodes, seed: SEED, targetLoad: TARGET }),
  };
}
