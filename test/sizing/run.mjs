/** `npm run sizing`. */
import { runSource } from "../kit/run-source.mjs";

await runSource("/test/sizing/main.ts");
