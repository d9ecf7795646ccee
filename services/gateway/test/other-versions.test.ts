/** What dispatchers of other versions say to a gateway: of those before it all is read, of those after it what is known. */
import { WRITTEN } from "@muster/test/kit/written-by";
import { describe, expect, it } from "vitest";
import { readGatewayMessage } from "../src/gateway-message.js";

describe.each(WRITTEN)("a dispatcher of schema %i", (_schema, written) => {
  it.each(["offer", "stop", "close"] as const)("sends a message of the kind %s that is read", (kind) => {
    expect(readGatewayMessage(written[kind])).toMatchObject(written[kind]);
  });
});

describe("a later dispatcher", () => {
  const [, newest] = WRITTEN.at(-1) ?? [0, undefined];

  it("sends fields that are passed over", () => {
    const offer = { ...newest?.offer, shard: 7, hints: { near: true } };
    expect(readGatewayMessage(offer)).toEqual(readGatewayMessage(newest?.offer));
  });

  it.each(["offer_batch", "constructor", "", 7])(
    "sends a message of the kind %j that is none for us",
    (kind) => {
      expect(readGatewayMessage({ ...newest?.offer, kind })).toBeUndefined();
    },
  );
});
