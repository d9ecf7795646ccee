/** Bugs of the gateway about jobs: offers, assignments, reports, stops, migrations, what is restored. See list.mjs. */

const SRC = "services/gateway/src/";
const offers = (test) => ({ file: "services/gateway/test/gateway-offers.test.ts", test });
const undone = (test) => ({ file: "services/gateway/test/gateway-offers-undone.test.ts", test });
const jobs = (test) => ({ file: "services/gateway/test/gateway-jobs.test.ts", test });
const migration = (test) => ({ file: "services/gateway/test/gateway-migration.test.ts", test });
const restore = (test) => ({ file: "services/gateway/test/gateway-restore.test.ts", test });

export const GATEWAY_JOBS = [
  {
    name: "a message that comes twice is an offer twice",
    breaks: 2,
    file: `${SRC}offers.ts`,
    find: "if (asked.has(wire)) return true;",
    replace: "if (asked.has(wire.repeat(2))) return true;",
    caughtBy: offers("is not asked, nor assigned, again by a message that comes twice"),
  },
  {
    name: "a second yes is told to the ledger too",
    breaks: 2,
    file: `${SRC}offers.ts`,
    find: "    session.offers.delete(open.message.wire);\n",
    replace: "",
    caughtBy: offers("is asked once however often the message comes"),
  },
  {
    name: "an assignment is sent although the ledger called the yes stale",
    breaks: 2,
    file: `${SRC}assignments.ts`,
    find: "const reply = await untilDone(\n      clock,\n      () => !isTooOld()",
    replace: "let reply = await untilDone(\n      clock,\n      () => !isTooOld()",
    also: [
      {
        find: '      return "stale";\n',
        replace:
          '      reply = { status: "started", startedAt: clock.now(), agentIdentity: args.agentIdentity };\n',
      },
    ],
    caughtBy: undone("is no offer any more when the ledger has moved on"),
  },
  {
    name: "an assignment is sent although the answer is too old",
    breaks: 2,
    file: `${SRC}assignments.ts`,
    find: "const isTooOld = () => clock.now() - receivedAtMs > maxAnswerAgeMs;",
    replace: "const isTooOld = () => clock.now() - receivedAtMs > maxAnswerAgeMs + 60_000;",
    caughtBy: undone("is not assigned when the ledger took longer than an answer is worth"),
  },
  {
    name: "a start that could not be sent is left to its deadline",
    breaks: 11,
    file: `${SRC}assignments.ts`,
    find: "      await this.#withdraw(session, offer);\n",
    replace: "",
    caughtBy: undone("is taken back when its yes was committed and the socket was gone"),
  },
  {
    name: "a worker whose socket went is called silent",
    breaks: 11,
    file: `${SRC}offers.ts`,
    find: `      this.#take(session, open);
      void this.#reject(open.message, "undelivered", false);
    }
    this.#late`,
    replace: `      this.#take(session, open);
      void this.#reject(open.message, "silent", false);
    }
    this.#late`,
    caughtBy: undone("goes back without blame when the socket goes while it is open"),
  },
  {
    name: "a worker is called silent that was not reached yet",
    breaks: 11,
    file: `${SRC}offers.ts`,
    find: "if (session.hasUnsentBytes)",
    replace: "if (false as boolean)",
    caughtBy: undone("goes back without blame when it never left for its socket"),
  },
  {
    name: "an answer of before a pause of ours counts as fresh",
    breaks: 11,
    file: `${SRC}offers.ts`,
    find: "isUndated ? open.askedAtMs : nowMs",
    replace: "isUndated ? nowMs : nowMs",
    caughtBy: undone("goes back without blame when its answer waited in a gateway that was stopped"),
  },
  {
    name: "silence is waited for without end",
    breaks: 4,
    file: `${SRC}offers.ts`,
    find: "cancelDeadline: clock.setTimer(this.#givenMs(session), () =>",
    replace: "cancelDeadline: clock.setTimer(this.#givenMs(session) * 1_000, () =>",
    caughtBy: offers("takes silence for an answer"),
  },
  {
    name: "an identity of any length goes into token and ledger",
    breaks: 10,
    file: `${SRC}answer.ts`,
    find: "if (Buffer.byteLength(answer.participantIdentity) > MAX_IDENTITY_BYTES)",
    replace: "if (Buffer.byteLength(answer.participantIdentity) > MAX_IDENTITY_BYTES * 2)",
    caughtBy: offers("takes an answer that is too long for a no"),
  },
  {
    name: "the token is signed with another key than the worker's",
    breaks: 9,
    file: `${SRC}assignments.ts`,
    find: 'apiSecret: keys.get(apiKey) ?? "",',
    replace: 'apiSecret: [...keys.values()][0] ?? "",',
    caughtBy: offers("an offer on uws is asked, accepted and assigned"),
  },
  {
    name: "what is assigned is not asserted",
    breaks: 5,
    file: `${SRC}assignments.ts`,
    find: "    session.held.add({ job, wire, epoch }, generation());\n",
    replace: "",
    caughtBy: {
      file: "services/gateway/test/gateway-leases.test.ts",
      test: "registers its sessions again after a lapse",
    },
  },
  {
    name: "reports overtake each other",
    breaks: 7,
    file: `${SRC}reports.ts`,
    find: "session.inOrder(() => this.#write(session, namespace, bounded, receivedAtMs), bytes);",
    replace:
      "void new Promise((next) => setTimeout(next, report.status === 'running' ? 0 : bytes * 0 + 100)).then(() => this.#write(session, namespace, bounded, receivedAtMs));",
    caughtBy: migration("a worker that comes back, on uws is the holder of its orphans again"),
  },
  {
    name: "a report that could not be written is dropped",
    breaks: 1,
    file: `${SRC}retry.ts`,
    find: "      await pause(clock, RETRY_MS);\n",
    replace: "      await pause(clock, RETRY_MS);\n      return undefined;\n",
    caughtBy: jobs("writes a report once the ledger takes it"),
  },
  {
    name: "a worker that runs what is over is not told to stop",
    breaks: 2,
    file: `${SRC}reports.ts`,
    find: 'if (status === "running") await this.#stopGhost(session, namespace, wire);',
    replace: 'if (status === "success") await this.#stopGhost(session, namespace, wire);',
    caughtBy: migration("is told to stop what it says it runs and what is over"),
  },
  {
    name: "another agent's worker learns that a job is over",
    breaks: 9,
    file: `${SRC}reports.ts`,
    find: "if (pool !== session.registration?.pool || (",
    replace: "if ((",
    caughtBy: migration("is told to stop what it says it runs and what is over"),
  },
  {
    name: "a stop that the ledger tells is not passed on",
    breaks: 2,
    file: `${SRC}lease.ts`,
    find: "if (stop.gateway === gateway && !told.has(key)) this",
    replace: "if (stop.gateway !== gateway && !told.has(key)) this",
    caughtBy: jobs("delivers a stop whose message was lost"),
  },
  {
    name: "a worker that comes back is not told what to stop",
    breaks: 2,
    file: `${SRC}migrations.ts`,
    find: "    for (const wire of reply.stops) stops.deliver(session.id, wire);\n",
    replace: "",
    caughtBy: migration("is told to stop what runs elsewhere since"),
  },
  {
    name: "what a worker brought along is not asserted",
    breaks: 5,
    file: `${SRC}migrations.ts`,
    find: "    for (const job of moved) session.held.add(job, generation());\n",
    replace: "",
    caughtBy: restore("knows what a job is that came with a migration"),
  },
  {
    name: "jobs move to a session before its gateway's lease is sure",
    breaks: 5,
    file: `${SRC}migrations.ts`,
    find: "    await leases.confirm(namespace);\n",
    replace: "",
    caughtBy: migration("has its gateway's lease renewed before its jobs move to it"),
  },
  {
    name: "a half-open socket stays open",
    breaks: 2,
    file: `${SRC}migrations.ts`,
    find: "    halfOpen.closeAll(namespace, closed);\n",
    replace: "",
    caughtBy: migration("on uws takes its jobs from its half-open socket"),
  },
  {
    name: "a job is restored that this very Redis has forgotten",
    breaks: 7,
    file: `${SRC}reassertion.ts`,
    find: "sessions.find(session)?.held.isFromBefore(wire, generation),",
    replace: 'sessions.find(session)?.held.isFromBefore(wire, "another"),',
    caughtBy: restore("does not bring back what this very Redis has forgotten"),
  },
  {
    name: "a job that another life of Redis knew is not restored",
    breaks: 1,
    file: `${SRC}lease.ts`,
    find: "if (unknown !== undefined && (await reassertion",
    replace: "if (unknown === undefined && (await reassertion",
    caughtBy: restore("has again what a Redis lost that was set back a little"),
  },
];
