/** Runs one fuzzer: senders side by side, until all inputs are sent; says how far it is, and what was odd. */
import type { Findings, Scene } from "../attack.js";
import type { Fuzzer } from "./fuzzer.js";

const SENDERS = 16;
const TELL_EVERY_MS = 5_000;
const MOST_TOLD = 20;

export async function fuzz(
  fuzzer: Fuzzer,
  scene: Scene,
  inputs: number,
  onProgress: (text: string) => void,
): Promise<Findings> {
  const odd: string[] = [];
  let [sent, refused, taken, strange] = [0, 0, 0, 0];
  const startedAtMs = performance.now();
  const tell = () =>
    onProgress(
      `${sent} of ${inputs} inputs, ${refused} refused, ${taken} taken, ${strange} odd, ${perSecond()}/s`,
    );
  const perSecond = () => Math.round((1_000 * sent) / Math.max(1, performance.now() - startedAtMs));
  const timer = setInterval(tell, TELL_EVERY_MS);
  const one = async (random: Scene["random"]) => {
    const sender = await fuzzer.open(scene, random);
    while (sent < inputs) {
      for (const reaction of await sender.send()) {
        sent++;
        if (reaction === "refused") refused++;
        else if (reaction === "taken") taken++;
        else {
          strange++;
          if (odd.length < MOST_TOLD) odd.push(reaction.odd);
        }
      }
    }
    sender.close();
  };
  try {
    // Each with a source of its own: how they take turns is no part of the seed.
    await Promise.all(Array.from({ length: SENDERS }, () => one(scene.random.fork())));
  } finally {
    clearInterval(timer);
  }
  return { figures: { inputs: sent, refused, taken, odd: strange, perSecond: perSecond() }, broken: odd };
}
