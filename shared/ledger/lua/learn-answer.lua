-- learn-answer: a session that was given longer to answer offers answers sooner again: it is given less, and so is who
-- registers in its pool next. Repeating it changes nothing. Lost: the next quick answer says it again.
-- @include answering
-- @arg session string Session id.
-- @arg answer-ms int How long it is given from now on.
-- @reply learnt
-- @reply unknown

local pool = redis.call("HGET", session_of(session), "pool")
if not pool then return { "unknown" } end
redis.call("HSET", session_of(session), "answer_ms", answer_ms)
teach_answer_ms(pool, answer_ms)
return { "learnt" }
