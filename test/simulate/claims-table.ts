/** Owns the table of what claims cost. */
import { type ClaimCosts, median, ratios } from "./claims.js";
import { table } from "./table.js";

export function claimsTable(costs: ClaimCosts): string {
  const rows = costs.sizes.map((size, index) => {
    const of = ratios(costs, index, "cpuUs");
    return [
      String(size),
      median(costs.rounds.map((round) => round[index]?.cpuUs ?? 0)).toFixed(0),
      median(of).toFixed(2),
      `${Math.min(...of).toFixed(2)} – ${Math.max(...of).toFixed(2)}`,
      median(costs.rounds.map((round) => round[index]?.scriptUs ?? 0)).toFixed(0),
      median(ratios(costs, index, "scriptUs")).toFixed(2),
    ];
  });
  const head = ["workers in the pool", "CPU µs a claim", "against the first", "least – most"];
  const ofScript = ["script µs a claim", "against the first"];
  return `medians of ${costs.rounds.length} rounds\n\n${table([...head, ...ofScript], rows)}`;
}
