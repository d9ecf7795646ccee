import { FetchCredits, type FetchTicket } from "@muster/runtime/queue/fetch-credits";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

describe("fetch credits", () => {
  test("a queue just opened may hold anything, until it was heard empty", () => {
    const credits = new FetchCredits();
    const ticket = credits.take();
    expect(ticket).toBeDefined();
    expect(credits.available).toBe(true);
    credits.foundNone(ticket as FetchTicket);
    expect(credits.available).toBe(false);
    expect(credits.take()).toBeUndefined();
  });

  test("each wake-up is one fetch", () => {
    const credits = heardEmpty();
    credits.grant(2);
    expect(credits.take()).toBeDefined();
    expect(credits.take()).toBeDefined();
    expect(credits.take()).toBeUndefined();
  });

  test("an empty answer voids what was granted before it was asked for, and nothing since", () => {
    const credits = heardEmpty();
    credits.grant(5);
    const ticket = credits.take() as FetchTicket;
    credits.grant(1);
    credits.foundNone(ticket);
    expect(credits.take()).toBeDefined();
    expect(credits.available).toBe(false);
  });

  test("a suspicion raised while the question was under way stands", () => {
    const credits = heardEmpty();
    credits.suspect();
    const ticket = credits.take() as FetchTicket;
    credits.suspect();
    credits.foundNone(ticket);
    expect(credits.suspected).toBe(true);
  });

  test("no order of entries, wake-ups, questions and answers leaves an entry that nobody will ask for", () => {
    const step = fc.constantFrom("add", "wake", "ask", "carryOut", "answer", "takenByOther");
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const world = new World();
        for (const each of steps) world[each]();
        world.settle();
        expect(world.waiting === 0 || world.credits.available, `entries left: ${world.waiting}`).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});

function heardEmpty(): FetchCredits {
  const credits = new FetchCredits();
  credits.foundNone(credits.take() as FetchTicket);
  return credits;
}

/** A queue far away: what is sent is carried out later, in order, and what it answers arrives later still, in order. */
class World {
  readonly credits = heardEmpty();
  waiting = 0;
  #wakesUnderWay = 0;
  readonly #sent: FetchTicket[] = [];
  readonly #answers: { ticket: FetchTicket; found: boolean }[] = [];

  add(): void {
    this.waiting += 1;
    this.#wakesUnderWay += 1;
  }

  wake(): void {
    if (this.#wakesUnderWay === 0) return;
    this.#wakesUnderWay -= 1;
    this.credits.grant(1);
  }

  ask(): void {
    const ticket = this.credits.take();
    if (ticket !== undefined) this.#sent.push(ticket);
  }

  carryOut(): void {
    const ticket = this.#sent.shift();
    if (ticket === undefined) return;
    this.#answers.push({ ticket, found: this.waiting > 0 });
    if (this.waiting > 0) this.waiting -= 1;
  }

  answer(): void {
    const answer = this.#answers.shift();
    if (answer !== undefined && !answer.found) this.credits.foundNone(answer.ticket);
  }

  takenByOther(): void {
    if (this.waiting > 0) this.waiting -= 1;
  }

  settle(): void {
    while (this.#wakesUnderWay > 0) this.wake();
    while (this.#sent.length > 0) this.carryOut();
    while (this.#answers.length > 0) this.answer();
  }
}
