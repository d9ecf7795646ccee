/** `npm run simulate`: no build needed. */
import { runSource } from "../kit/run-source.mjs";

await runSource("/test/simulate/main.ts");
