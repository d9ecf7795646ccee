/** What a fuzzer is: a door, what is sent to it, made of a seed alone, and what it must never answer. */
import type { Random } from "../../../test/cluster/siege/random.js";
import type { Scene } from "../attack.js";

/** What a door made of one input. `odd` is what no input may lead to: a text says what. */
export type Reaction = "refused" | "taken" | { readonly odd: string };

export interface Fuzzer {
  readonly name: string;
  readonly about: string;
  readonly leaves: "refused" | "allowed";
  /** Its part of all inputs, beside the others'. */
  readonly weight: number;
  /** One that sends, one input after the other; several work side by side. */
  open(scene: Scene, random: Random): Promise<Sender>;
}

export interface Sender {
  /** Makes the next inputs, sends them, and says what became of each. */
  send(): Promise<readonly Reaction[]>;
  close(): void;
}
