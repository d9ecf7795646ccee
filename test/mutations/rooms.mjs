/** Bugs about rooms: what LiveKit says of agents and participants, who is believed, what follows for orders. See list.mjs. */

const LUA = "shared/ledger/lua/";
const agents = (test) => ({
  file: "shared/ledger/test/agents-in-rooms.test.ts",
  test: `single Redis ${test}`,
});
const open = (test) => ({ file: "shared/ledger/test/open-orders.test.ts", test: `single Redis ${test}` });
const book = (test) => ({ file: "shared/ledger/test/room-book.test.ts", test: `single Redis ${test}` });
const defined = (test) => ({ file: "shared/ledger/test/definitions.test.ts", test: `single Redis ${test}` });
const ruled = (test) => ({ file: "services/api/test/rules-in-rooms.test.ts", test });
const missing = (test) => ({ file: "services/api/test/missing-rooms.test.ts", test });
const seen = (test) => ({ file: "services/api/test/room-agents.test.ts", test });
const door = (test) => ({ file: "services/api/test/webhook-door.test.ts", test });

const adopted = (test) => ({ file: "services/api/test/adopted-dispatches.test.ts", test });

export const ROOMS = [
  {
    name: "a dispatch whose job was cancelled counts as served",
    breaks: 12,
    file: "shared/livekit/src/served-by-livekit.ts",
    find: "&& status !== JobStatus.JS_CANCELLED",
    replace: "",
    caughtBy: adopted(
      "is taken over at once when all that livekit-server has of it is a job that was cancelled",
    ),
  },
  {
    name: "a dispatch is taken before livekit-server's own workers claimed it",
    breaks: 12,
    file: "services/api/src/rooms/claim-window.ts",
    find: "restMs(dispatch) > 0);",
    replace: "restMs(dispatch) > LISTED_MS);",
    caughtBy: adopted("a dispatch is taken over after the time in which they claim it"),
  },
  {
    name: "a dispatch is taken although an agent of it is in the room",
    breaks: 12,
    file: "services/api/src/rooms/claim-window.ts",
    find: "left.add(id);\n    }",
    replace: "left.delete(id);\n    }",
    caughtBy: adopted("so is one whose agent is in the room before its job is listed"),
  },
  {
    name: "ours stays beside the agent of livekit-server's worker",
    breaks: 12,
    file: "services/api/src/rooms/doubled-agents.ts",
    find: "if (theirs.has(job.id)) await",
    replace: "if (!theirs.has(job.id)) await",
    caughtBy: adopted("end with theirs alone when ours came first"),
  },
  {
    name: "an agent of another Muster counts as one of livekit-server's workers",
    breaks: 12,
    file: "shared/livekit/src/served-by-livekit.ts",
    find: "isAgent && agentMarks(attributes) === undefined",
    replace: "isAgent",
    caughtBy: adopted("are not two when the other is of another dispatch, or of another Muster"),
  },
  {
    name: "a leave counts for whoever joined under that identity since",
    breaks: 2,
    file: `${LUA}note-agent.lua`,
    find: 'if record.participant_sid ~= sid then return { "ignored", "another_sid" } end\n',
    replace: 'if record.participant_sid == "" then return { "ignored", "another_sid" } end\n',
    caughtBy: agents("leave counts for the sid that joined"),
  },
  {
    name: "an agent that left has no time to come back",
    breaks: 2,
    file: `${LUA}note-agent.lua`,
    find: "local due = now + rejoin_ms\n",
    replace: "local due = now + rejoin_ms * 0\n",
    caughtBy: agents("leave ends the job of a worker that never reports"),
  },
  {
    name: "somebody else's join makes a job run",
    breaks: 2,
    file: `${LUA}note-agent.lua`,
    find: "if record.agent_identity ~= identity then",
    replace: 'if record.agent_identity == "" and identity == "" then',
    caughtBy: agents("join under another name"),
  },
  {
    name: "an agent that left against its will is not told to stop",
    breaks: 2,
    file: `${LUA}expire-job.lua`,
    find: 'return { "retrying", cjson.encode(stop), cjson.encode(ejection) }',
    replace:
      'finish_stop(stop_field(record.session, record.wire))\n    return { "retrying", cjson.encode(stop), cjson.encode(ejection) }',

    caughtBy: agents("leave against its will fails the job"),
  },
  {
    name: "a participant gets another job each time that it is spoken of",
    breaks: 3,
    file: `${LUA}extend-order.lua`,
    find: 'if not redis.call("ZSCORE", order_jobs_key, job.id) then',
    replace: 'if redis.call("HGET", job_of(job.id), "state") ~= "queued" then',
    caughtBy: open("one whose job is over gets no other"),
  },
  {
    name: "a dispatch of livekit-server outlives the room's life that it was made in",
    breaks: 3,
    file: `${LUA}end-room-order.lua`,
    find: 'if state == "live" and not one_life and now < waits_until',
    replace: 'if state == "live" and now < waits_until',
    caughtBy: open("ends an order of that life alone"),
  },
  {
    name: "an order that is over makes jobs",
    breaks: 7,
    file: `${LUA}extend-order.lua`,
    find: 'if state ~= "live" then return { "closed", state } end\n',
    replace: 'if state == "never" then return { "closed", state } end\n',
    caughtBy: open("an order that is over, or bound to another life of its room"),
  },
  {
    name: "the end of a room's earlier life ends the orders of the present one",
    breaks: 1,
    file: `${LUA}end-room-order.lua`,
    find: 'if bound_to ~= room_sid then return { "other_life", bound_to or "" } end\n',
    replace: 'if bound_to == "" or not room_sid then return { "other_life", bound_to or "" } end\n',
    caughtBy: open("of another life, or of an order that knows of none"),
  },
  {
    name: "a room's life that is over begins again with a late word on it",
    breaks: 7,
    file: `${LUA}merge-room.lua`,
    find: "if is_over then life.over = 1 end",
    replace: "life.over = is_over and 1 or 0",
    caughtBy: book("a life that is over keeps nobody"),
  },
  {
    name: "a webhook is believed whatever its bytes are",
    breaks: 10,
    file: "services/api/src/webhook/webhook-door.ts",
    find: "      requireDigestOf(body, digest);\n",
    replace: "",
    caughtBy: door("who cannot sign for these bytes is not believed"),
  },
  {
    name: "a webhook that was not kept is answered as if it were",
    breaks: 1,
    file: "services/api/src/webhook/webhook-door.ts",
    find: '      throw new DispatchError("unavailable", "the event could not be kept; send it again");\n',
    replace: "",
    caughtBy: door("what was not kept is not answered with 200"),
  },
  {
    name: "a rule is replaced whatever version was asked for",
    breaks: 3,
    file: `${LUA}put-definition.lua`,
    find: 'if if_version > 0 and if_version ~= version then return { "changed", version } end\n',
    replace: 'if if_version < 0 then return { "changed", version } end\n',
    caughtBy: defined("of several writers who saw the same version, one wins"),
  },
  {
    name: "rules that Redis forgot are followed on",
    breaks: 5,
    file: "services/api/src/rules/definitions.ts",
    find: "if (isWhole(copy, reply)) break;",
    replace: "if (isWhole(copy, reply) || copy.revision > 0) break;",
    caughtBy: {
      file: "services/api/test/definitions-copy.test.ts",
      test: "is what a Redis has that lost its last writes",
    },
  },
  {
    name: "a rule that was just stored is not in a read that others wait for",
    breaks: 1,
    file: "services/api/src/rules/definitions.ts",
    find: "    this.#following.set(project, following);\n    return following;",
    replace: "    this.#following.set(project, following);\n    return reading;",
    caughtBy: {
      file: "services/api/test/definitions-copy.test.ts",
      test: "has what was stored before the call",
    },
  },
  {
    name: "a life is marked before its rules were followed",
    breaks: 4,
    file: "services/api/src/rules/follow-rules.ts",
    find: `      made += await this.#follow({ project, room, sid }, metadata);
      await ledger.followRules({ ...mark, isDone: true });`,
    replace: `      await ledger.followRules({ ...mark, isDone: true });
      made += await this.#follow({ project, room, sid }, metadata);`,
    caughtBy: ruled("after its step 3 leaves it to the next word of the room"),
  },
  {
    name: "a rule reaches into rooms that live",
    breaks: 3,
    file: "services/api/src/rules/follow-rules.ts",
    find: "      await ledger.followRules({ ...mark, isDone: true });\n",
    replace: "",
    caughtBy: ruled("does not reach into a room that lives"),
  },
  {
    name: "the orders of a rule are those of the room's life before",
    breaks: 3,
    file: "services/api/src/order-ids.ts",
    find: "digest([from.kind, project, from.id, roomSid, String(from.index)])",
    replace: "digest([from.kind, project, from.id, String(from.index)])",
    caughtBy: ruled("is followed anew in the room's next life"),
  },
  {
    name: "a rule orders anew for each api that hears of the room",
    breaks: 3,
    file: "services/api/src/rules/accept-planned.ts",
    find: 'const repeat = { by: "id", value: definedOrderId(project, from, sid) } as const;',
    replace:
      'const repeat = definedOrderId(project, from, sid) === "" ? { by: "id" as const, value: "" } : undefined;',
    caughtBy: ruled("is followed once by two apis"),
  },
  {
    name: "the admin of one room writes rules for all",
    breaks: 9,
    file: "services/api/src/auth.ts",
    find: 'if (video.roomAdmin && video.room === "") return;\n  throw new DispatchError("permission_denied", "the token needs the grant video.roomAdmin, without a room");',
    replace:
      'if (video.roomAdmin) return;\n  throw new DispatchError("permission_denied", "the token needs the grant video.roomAdmin, without a room");',
    caughtBy: { file: "services/api/test/rules.test.ts", test: "are for the admin of one room" },
  },
  {
    name: "a job that waits is described as somebody said earlier, because it is told later",
    breaks: 3,
    file: `${LUA}extend-order.lua`,
    find: 'if info == "" or at < known_at then return end',
    replace: 'if info == "" then return end',
    caughtBy: open("whoever waits is described as the book has it by now"),
  },
  {
    name: "the room of an order is forgotten with the api that was to make it",
    breaks: 4,
    file: "services/api/src/rooms/missing-rooms.ts",
    find: "    await wanted.add({ room, untilMs });\n",
    replace: "    if (untilMs < 0) await wanted.add({ room, untilMs });\n",
    caughtBy: missing("when LiveKit was away"),
  },
  {
    name: "a room that is there is made all the same",
    breaks: 1,
    file: "services/api/src/rooms/missing-rooms.ts",
    find: "if (live !== undefined) return live;",
    replace: 'if (live?.name === "") return live;',
    caughtBy: missing("that is there already is not touched"),
  },
  {
    name: "an agent is put out of its room for its identity alone",
    breaks: 2,
    file: "shared/livekit/src/remove-agent.ts",
    find: 'if (marks.job !== job || marks.epoch > upToEpoch) return "absent";',
    replace: 'if (job === "" || upToEpoch < 0) return "absent";',
    caughtBy: {
      file: "shared/livekit/test/remove-agent.test.ts",
      test: "the agent of another job under the same identity stays",
    },
  },
  {
    name: "an order stays bound to a life of its room that was over when it was bound",
    breaks: 1,
    file: "services/api/src/rooms/reconcile-room.ts",
    find: 'if (boundTo === "") await this.#endWhenOver(',
    replace: 'if (boundTo === "never") await this.#endWhenOver(',
    caughtBy: {
      file: "services/api/test/rooms.test.ts",
      test: "that comes while its beginning is still being taken in leaves no order bound to it",
    },
  },
  {
    name: "who came back on another socket is taken for a former holder",
    breaks: 2,
    file: "services/api/src/rooms/former-agents.ts",
    find: "marks.epoch < job.acceptedEpoch;",
    replace: "marks.epoch < job.epoch;",
    caughtBy: seen(
      "is left alone until another has accepted, and so is the present holder after a migration",
    ),
  },
  {
    name: "a former holder that joins is taken for the present one",
    breaks: 2,
    file: "services/api/src/rooms/agents-in-room.ts",
    find: " && !isFormer(job, person)",
    replace: "",
    caughtBy: seen("and joins is put out, and no news of its job: by a webhook"),
  },
  {
    name: "the agent of a stopped job is looked for once, and not when LiveKit is back",
    breaks: 4,
    file: `${LUA}expire-stop.lua`,
    find: "local again_at = math.min(stop.ends_at, now + again_ms * 2 ^ math.min(10, stop.looks))",
    replace: "local again_at = math.max(stop.ends_at, now + again_ms)",
    caughtBy: {
      file: "shared/ledger/test/stopped-agents.test.ts",
      test: "single Redis is looked for 3 s after it was terminated",
    },
  },
  {
    name: "a job is given to another in a room that everybody has left",
    breaks: 2,
    file: `${LUA}settle-orphan.lua`,
    find: 'if deserted then return finish("success", "nobody_left", "") end',
    replace: 'if deserted and policy == "" then return finish("success", "nobody_left", "") end',
    caughtBy: {
      file: "shared/ledger/test/orphans.test.ts",
      test: "in a room where nobody is left ends well",
    },
  },
  {
    name: "a caller who loads the page anew has left for good",
    breaks: 1,
    file: `${LUA}find-company.lua`,
    find: "person.left_at and now - person.heard_at >= rejoin_ms",
    replace: "person.left_at and rejoin_ms >= 0",
    caughtBy: book("somebody is there, or was, or nobody but agents and recorders ever came"),
  },
  {
    name: "a LiveKit that is away makes nothing of what it told before",
    breaks: 2,
    file: "services/dispatcher/src/room-presence.ts",
    find: "      if (error instanceof LivekitError) return otherwise;\n",
    replace: "",
    also: [{ find: 'import { LivekitError } from "@muster/livekit/livekit-error";\n', replace: "" }],
    caughtBy: {
      file: "services/dispatcher/test/room-presence.test.ts",
      test: "while RoomService is away, or too slow",
    },
  },
  {
    name: "a room that LiveKit refuses to make holds up the others",
    breaks: 4,
    file: "services/api/src/rooms/missing-rooms.ts",
    find: 'error.code === "invalid_argument"',
    replace: 'error.code === "canceled"',
    caughtBy: missing("of one that LiveKit refuses it is not"),
  },
  {
    name: "a token that livekit-server says back is told on",
    breaks: 9,
    file: "shared/livekit/src/post.ts",
    find: '.replaceAll(token, "(the token)")',
    replace: "",
    caughtBy: { file: "shared/livekit/test/calls.test.ts", test: "with the wrong secret is refused" },
  },
];
