import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as schemas from "@muster/wire/generated/livekit-schema";
import { fromJson } from "@muster/wire/json/from-json";
import type { MessageSchema } from "@muster/wire/json/json-schema";
import { AGENT_JSON, toJson } from "@muster/wire/json/to-json";
import { describe, expect, it } from "vitest";
import { SAMPLES } from "../scripts/golden-samples.mjs";
import { GOLDEN_FOLDER, renderVectors } from "../scripts/write-golden.mjs";

/** Our codecs against the committed vectors, and the committed vectors against LiveKit's own implementation. */

function schemaOf(message: string): MessageSchema<object> {
  return (schemas as unknown as Record<string, MessageSchema<object>>)[
    `${message}Schema`
  ] as MessageSchema<object>;
}

interface JobJson {
  room: object;
  participant: { tracks: [object, ...object[]] };
}

const OPTIONS = { path: "", source: "client" } as const;

describe("golden vectors", () => {
  it("are the ones that @livekit/protocol makes of the samples (npm run golden -w proto writes them)", () => {
    const rendered = renderVectors();
    expect(readdirSync(GOLDEN_FOLDER).sort()).toEqual([...rendered.keys()].sort());
    for (const [name, bytes] of rendered) {
      expect(readFileSync(join(GOLDEN_FOLDER, name)).toString("hex"), name).toBe(
        Buffer.from(bytes).toString("hex"),
      );
    }
  });

  it("hold every kind of message in both directions", () => {
    const used = (message: string) =>
      new Set(
        SAMPLES.filter((sample) => sample.message === message).flatMap((sample) => Object.keys(sample.json)),
      );
    for (const message of ["WorkerMessage", "ServerMessage"]) {
      expect(used(message)).toEqual(new Set(schemaOf(message).fields.map((field) => field.name)));
    }
  });

  it("hold every field of a job, a room, a participant and a track", () => {
    const job = SAMPLES.find((sample) => sample.name === "job-all")?.json as JobJson;
    const held = {
      Job: job,
      Room: job.room,
      ParticipantInfo: job.participant,
      TrackInfo: job.participant.tracks[0],
    };
    for (const [message, json] of Object.entries(held)) {
      expect(Object.keys(json).sort(), message).toEqual(
        schemaOf(message)
          .fields.map((field) => field.name)
          .sort(),
      );
    }
  });

  describe.each(SAMPLES)("$name", ({ name, message, json }) => {
    const schema = schemaOf(message);
    const golden = readFileSync(join(GOLDEN_FOLDER, `${name}.bin`));

    it("is what our codec encodes", () => {
      const encoded = schema.codec.encode(fromJson(schema, json, OPTIONS)).finish();
      expect(Buffer.from(encoded).toString("hex")).toBe(golden.toString("hex"));
    });

    it("decodes to the sample, and encodes again to the same bytes", () => {
      const decoded = schema.codec.decode(golden);
      expect(toJson(schema, decoded, AGENT_JSON)).toEqual(json);
      expect(Buffer.from(schema.codec.encode(decoded).finish()).toString("hex")).toBe(golden.toString("hex"));
    });
  });
});
