/** Broken input comes of its seed alone, is not the sound one, and is of many kinds. */
import { expect, test } from "vitest";
import { mutateBytes, mutateJson, oddName } from "../../scripts/doors/fuzz/mutate.js";
import { Random } from "../cluster/siege/random.js";

const SOUND = { room: "room", agent_name: "agent", attributes: { a: "b" }, steps: [{ after_ms: 1 }] };
const BYTES = Buffer.from("0a0568656c6c6f", "hex");
const COUNT = 500;

const made = (seed: number) => {
  const random = new Random(seed);
  return Array.from({ length: COUNT }, () => [
    mutateBytes(BYTES, random).toString("hex"),
    mutateJson(SOUND, random),
    oddName(random),
  ]);
};

test("the same seed gives the same inputs, and another one others", () => {
  expect(made(7)).toEqual(made(7));
  expect(made(7)).not.toEqual(made(8));
});

test("they are many, and hardly one is sound", () => {
  const all = made(7);
  for (const kind of [0, 1, 2]) {
    const texts = all.map((inputs) => inputs[kind]);
    expect(new Set(texts).size, String(kind)).toBeGreaterThan(COUNT / 2);
  }
  expect(all.filter(([bytes]) => bytes === BYTES.toString("hex")).length).toBeLessThan(COUNT / 20);
  expect(all.filter(([, json]) => json === JSON.stringify(SOUND)).length).toBeLessThan(COUNT / 20);
});

test("what is changed is not the caller's", () => {
  const bytes = Buffer.from(BYTES);
  const random = new Random(3);
  for (let count = 0; count < COUNT; count++) mutateBytes(bytes, random);
  expect(bytes).toEqual(BYTES);
});
