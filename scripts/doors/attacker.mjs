/** The process that attacks: see attacker.ts. */
import { runSource } from "../../test/kit/run-source.mjs";

await runSource("/scripts/doors/attacker.ts");
