/** Owns what happened in each room of a siege, in order: read when a promise was broken there. */
const LONGEST = 200;

export class Stories {
  readonly #lines = new Map<string, string[]>();

  tell(room: string, what: string): void {
    const lines = this.#lines.get(room) ?? [];
    if (lines.length < LONGEST) lines.push(`${room} ${new Date().toISOString()} ${what}`);
    this.#lines.set(room, lines);
  }

  of(room: string): readonly string[] {
    return this.#lines.get(room) ?? [];
  }
}
