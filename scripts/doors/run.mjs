/** `npm run doors`. */
import { runSource } from "../../test/kit/run-source.mjs";

await runSource("/scripts/doors/main.ts");
