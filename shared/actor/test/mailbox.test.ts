/** What waits for one actor: in order, bounded, and without twins. */
import { Mailbox } from "@muster/actor/mailbox";
import { describe, expect, it } from "vitest";

interface Mail {
  key?: string;
  text: string;
}

const mailbox = (capacity: number) => new Mailbox<Mail>({ capacity, keyOf: (mail) => mail.key });
const texts = (box: Mailbox<Mail>) => box.drain().map((mail) => mail.text);

describe("mailbox", () => {
  it("keeps the order", () => {
    const box = mailbox(10_000);
    const sent = Array.from({ length: 5_000 }, (_, index) => String(index));
    const taken: (string | undefined)[] = [];
    for (const [index, text] of sent.entries()) {
      box.offer({ text });
      // Takes every third while it fills, so that its front moves on.
      if (index % 3 === 0) taken.push(box.take()?.message.text);
    }
    expect([...taken, ...texts(box)]).toEqual(sent);
    expect(box.size).toBe(0);
    expect(box.take()).toBeUndefined();
  });

  it("coalesces twins: the later content at the earlier place", () => {
    const box = mailbox(10);
    expect(box.offer({ key: "wake", text: "first" })).toBe("queued");
    expect(box.offer({ text: "other" })).toBe("queued");
    expect(box.offer({ key: "wake", text: "second" })).toBe("coalesced");
    expect(box.size).toBe(2);
    expect(texts(box)).toEqual(["second", "other"]);
  });

  it("keeps a message whose twin is being worked on", () => {
    const box = mailbox(10);
    box.offer({ key: "wake", text: "first" });
    box.take();
    expect(box.offer({ key: "wake", text: "second" })).toBe("queued");
    expect(texts(box)).toEqual(["second"]);
  });

  it("never coalesces messages without a key", () => {
    const box = mailbox(10);
    box.offer({ text: "same" });
    expect(box.offer({ text: "same" })).toBe("queued");
  });

  it("refuses what is new when it is full, but still coalesces", () => {
    const box = mailbox(2);
    box.offer({ key: "a", text: "1" });
    box.offer({ text: "2" });
    expect(box.offer({ text: "3" })).toBe("full");
    expect(box.offer({ key: "a", text: "4" })).toBe("coalesced");
    box.take();
    expect(box.offer({ text: "5" })).toBe("queued");
    expect(texts(box)).toEqual(["2", "5"]);
  });
});
