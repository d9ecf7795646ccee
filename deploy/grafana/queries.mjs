/**
 * Owns the pieces that the dashboards' PromQL is made of: what the variables at the top choose, and the usual shapes of rates
 * and quantiles. Knows no panel.
 */

/** Of recording rules and alerts, which have no instance any more. */
export const WHOLE = 'namespace=~"$namespace"';
const CHOSEN = `${WHOLE}, job=~"$job", instance=~"$instance"`;
const STEP = "[$__rate_interval]";

/** A metric, of what was chosen: `of("muster_agent_slots", 'agent=~"$agent"')`. */
export function of(metric, matchers = "") {
  return `${metric}{${CHOSEN}${matchers === "" ? "" : `, ${matchers}`}}`;
}

export function sum(by, what) {
  return by === "" ? `sum(${what})` : `sum by (${by}) (${what})`;
}

/** A second. */
export function perSecond(by, counter, matchers) {
  return sum(by, `rate(${of(counter, matchers)}${STEP})`);
}

/** In a point's stretch of time: for what is rare, where a rate a second says nothing to anybody. */
export function times(by, counter, matchers) {
  return sum(by, `increase(${of(counter, matchers)}${STEP})`);
}

/** Silent where there was nothing to measure. */
export function quantile(q, histogram, { by = "", matchers = "" } = {}) {
  const labels = by === "" ? "le" : `le, ${by}`;
  const spread = perSecond(labels, `${histogram}_bucket`, matchers);
  const some = `${perSecond(by, `${histogram}_count`, matchers)} > 0`;
  return `histogram_quantile(${q}, ${spread}) and ${by === "" ? "" : `on (${by}) `}${some}`;
}

export function top(count, what) {
  return `topk(${count}, ${what})`;
}
