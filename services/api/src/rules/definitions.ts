/**
 * A project's rules and room configurations as they are at the moment of a call. Owns a copy of them, and that one call
 * to the ledger tells whether it still is what is stored: what changed since comes with the answer, and what is as it was
 * is not read again. Writes nothing.
 */

import type { ChangedDefinitionsReply } from "@muster/ledger/generated/scripts";
import type { Ledger } from "@muster/ledger/ledger";
import type { Log } from "@muster/runtime/log";
import {
  ConfigurationBody,
  type ConfigurationDefinition,
  RuleBody,
  type RuleDefinition,
} from "../rest/definition-schemas.js";
import { readStored } from "./read-stored.js";

export interface Defined<T> {
  version: number;
  /** undefined: it cannot be read, which is logged; nothing follows from it. */
  body: T | undefined;
}

/** By id, in the order in which they were changed last. */
export interface ProjectDefinitions {
  rules: ReadonlyMap<string, Defined<RuleDefinition>>;
  configurations: ReadonlyMap<string, Defined<ConfigurationDefinition>>;
}

export interface DefinitionsDeps {
  ledger: Pick<Ledger, "changedDefinitions">;
  log: Log;
}

interface Copy extends ProjectDefinitions {
  revision: number;
}
type Changed = Extract<ChangedDefinitionsReply, { status: "changed" }>;

/** Of one answer of Redis, and a little more. */
const MAX_BYTES = 4 * 1024 * 1024;
const NOTHING: Copy = { revision: 0, rules: new Map(), configurations: new Map() };

export class Definitions {
  readonly #deps: DefinitionsDeps;
  readonly #copies = new Map<string, Copy>();
  /** By project: the read that is under way, and the one that follows it for all who came meanwhile. */
  readonly #reading = new Map<string, Promise<ProjectDefinitions>>();
  readonly #following = new Map<string, Promise<ProjectDefinitions>>();

  constructor(deps: DefinitionsDeps) {
    this.#deps = deps;
  }

  /** What was stored before this call is in it. */
  of(project: string): Promise<ProjectDefinitions> {
    const reading = this.#reading.get(project);
    if (reading === undefined) return this.#begin(project);
    // The one under way may have begun before what this caller knows to be stored.
    const follow = () => {
      this.#following.delete(project);
      return this.#begin(project);
    };
    const following = this.#following.get(project) ?? reading.then(follow, follow);
    this.#following.set(project, following);
    return following;
  }

  #begin(project: string): Promise<ProjectDefinitions> {
    const reading = this.#read(project).finally(() => {
      if (this.#reading.get(project) === reading) this.#reading.delete(project);
    });
    this.#reading.set(project, reading);
    return reading;
  }

  async #read(project: string): Promise<ProjectDefinitions> {
    let copy = this.#copies.get(project) ?? NOTHING;
    for (;;) {
      const since = copy.revision;
      const reply = await this.#deps.ledger.changedDefinitions({ project, since, maxBytes: MAX_BYTES });
      if (reply.status === "unchanged") return copy;
      copy = this.#merged(copy, reply);
      if (reply.readUpTo < reply.revision) continue;
      if (isWhole(copy, reply)) break;
      // Redis forgot the newest of what it had, and took in other things since.
      copy = NOTHING;
    }
    this.#copies.set(project, copy);
    return copy;
  }

  #merged(copy: Copy, { readUpTo, rules, configurations, texts }: Changed): Copy {
    const read = { rules: new Map<string, string>(), configurations: new Map<string, string>() };
    for (let at = 0; at + 2 < texts.length; at += 3) {
      const [kind, id = "", text = ""] = texts.slice(at, at + 3);
      read[kind === "rules" ? "rules" : "configurations"].set(id, text);
    }
    return {
      revision: readUpTo,
      rules: this.#mergedOf(copy.rules, rules, read.rules, (text) => readStored(RuleBody, text)),
      configurations: this.#mergedOf(copy.configurations, configurations, read.configurations, (text) =>
        readStored(ConfigurationBody, text),
      ),
    };
  }

  /** Of what there is, what was read now or before. */
  #mergedOf<T>(
    before: ReadonlyMap<string, Defined<T>>,
    there: readonly string[],
    read: ReadonlyMap<string, string>,
    parse: (text: string) => T,
  ): Map<string, Defined<T>> {
    const merged = new Map<string, Defined<T>>();
    for (const [id, version] of versionsOf(there)) {
      const text = read.get(id);
      const kept = before.get(id);
      if (text !== undefined) merged.set(id, { version, body: this.#parsed(id, text, parse) });
      else if (kept !== undefined) merged.set(id, kept);
    }
    return merged;
  }

  #parsed<T>(id: string, text: string, parse: (text: string) => T): T | undefined {
    try {
      return parse(text);
    } catch {
      this.#deps.log.error({ definition: id }, "a rule or room configuration cannot be read; put it anew");
      return undefined;
    }
  }
}

function isWhole(copy: Copy, { rules, configurations }: Changed): boolean {
  const agrees = (kind: ReadonlyMap<string, Defined<unknown>>, there: readonly string[]) =>
    versionsOf(there).every(([id, version]) => kind.get(id)?.version === version);
  return agrees(copy.rules, rules) && agrees(copy.configurations, configurations);
}

function versionsOf(flat: readonly string[]): [id: string, version: number][] {
  return Array.from({ length: flat.length / 2 }, (_, at) => [flat[2 * at] ?? "", Number(flat[2 * at + 1])]);
}
