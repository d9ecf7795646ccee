-- follow-rules: whether a project's rules were followed at the start of one life of a room. Called a second time with
-- `is-done` when all that they ask for is made: from then on they are not followed again in that life, whatever they
-- become. Dying between the two: the next look makes what is missing, under the same ids.
-- @slot room
-- @key ruled ruled:<sid>
-- @arg sid string Sid of the room's life.
-- @arg project string Whose rules.
-- @arg is-done bool They were followed.
-- @arg keep-ms int How long this is remembered, from the last look at it.
-- @reply followed done:int

if is_done then redis.call("HSET", ruled_key, project, 1) end
redis.call("PEXPIRE", ruled_key, keep_ms)
return { "followed", redis.call("HEXISTS", ruled_key, project) }
