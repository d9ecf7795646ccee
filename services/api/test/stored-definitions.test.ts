/** Rules and room configurations as other versions have stored them. */
import { WRITTEN } from "@muster/test/kit/written-by";
import { describe, expect, it } from "vitest";
import { ConfigurationBody, RuleBody } from "../src/rest/definition-schemas.js";
import { readStored } from "../src/rules/read-stored.js";

const [, newest] = WRITTEN.at(-1) ?? [0, undefined];
const rule = (more: object = {}, ofWhen: object = {}, ofOrder: object = {}) =>
  JSON.stringify({
    ...more,
    when: { room_pattern: "*", ...ofWhen },
    orders: [{ agent_name: "first" }, { agent_name: "second", ...ofOrder }],
  });
const known = readStored(RuleBody, rule());

it.each(WRITTEN)("of schema %i are read", (_schema, written) => {
  expect(readStored(RuleBody, JSON.stringify(written.rule))).toMatchObject(written.rule);
  const configuration = readStored(ConfigurationBody, JSON.stringify(written.configuration));
  expect(configuration).toMatchObject(written.configuration);
});

describe("a rule of a later version", () => {
  it("is read without the fields that are not known", () => {
    expect(readStored(RuleBody, rule({ note: "x", owner: { team: 1 } }))).toEqual(known);
    expect(readStored(RuleBody, rule({}, {}, { voice: "low" }))).toEqual(known);
  });

  it.each([
    ["condition", rule({}, { region: "eu" })],
    ["target", rule({}, {}, { target: { for: "participants", regions: ["eu"] } })],
  ])("is not read when it has a %s beyond us, for it would hold for more than was meant", (_what, text) => {
    expect(() => readStored(RuleBody, text)).toThrow();
  });

  it("is not read when what is known of it is not as we know it", () => {
    expect(() => readStored(RuleBody, rule({ note: "x", enabled: "sometimes" }))).toThrow();
    expect(() => readStored(RuleBody, "{")).toThrow(SyntaxError);
    expect(() => readStored(RuleBody, JSON.stringify({ ...newest?.rule, when: undefined }))).toThrow();
  });
});
