/** Whether each service would start with these settings; all that is wrong is listed at once. */

import type { Check } from "../check.js";
import { fail, ok } from "../finding.js";

export const config: Check = {
  name: "config",
  looksAt: "Each service that is looked at would start with these settings (--service names them).",
  async run({ services, problemsOf }) {
    const findings = services.flatMap((service) =>
      problemsOf(service).map((problem) =>
        fail(
          `${service} would not start: ${problem}`,
          "set it as said; docs/CONFIGURATION.md has every setting, and --service says which services run with these",
        ),
      ),
    );
    return findings.length > 0 ? findings : [ok(`${services.join(", ")} would start with these settings`)];
  },
};
