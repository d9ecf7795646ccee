/** Owns which prometheus and promtool the tests run: those that are here, or Debian's, which has both in one package. */
import { bringProgram } from "../../scripts/lib/debian-programs.mjs";

interface PrometheusPrograms {
  prometheus: string;
  promtool: string;
}

let known: PrometheusPrograms | undefined;

export function prometheusPrograms(): PrometheusPrograms {
  known ??= { prometheus: pathOf("prometheus"), promtool: pathOf("promtool") };
  return known;
}

/** Programs of Go: they need no libraries beside them. */
function pathOf(name: string): string {
  const program = bringProgram(name, "prometheus");
  if ("missing" in program) throw new Error(program.missing);
  return program.path;
}
