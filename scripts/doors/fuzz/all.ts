/** The fuzzers: one for each door, and for each form in which a door is spoken to. */
import { restBodies, twirpJsonBodies, twirpProtobufBodies } from "./bodies.js";
import { forgedTokens } from "./forged-tokens.js";
import { jsonFrames, protobufFrames } from "./frames.js";
import type { Fuzzer } from "./fuzzer.js";
import { brokenHeads } from "./heads.js";
import { oddNames } from "./names.js";
import { brokenWebhooks } from "./webhooks.js";

export const FUZZERS: readonly Fuzzer[] = [
  forgedTokens,
  brokenHeads,
  twirpJsonBodies,
  twirpProtobufBodies,
  restBodies,
  brokenWebhooks,
  oddNames,
  jsonFrames,
  protobufFrames,
];
