-- wake-namespace: somebody is about to end what is on hold in a namespace that may rest: from now on it is awake, so that
-- its host moves on what is told of that, and forgets it when its time is over.
-- Repeating it changes nothing. Dying after it: the namespace goes to rest again with the next look at it.
-- @include waking
-- @include listening
-- @arg listen-ms int For how long from now its events are told, at least, as somebody listens; 0 = nobody is known to.
-- @arg rests int The count answered by `unindexed`, once the namespace is in the index; -1 before.
-- @reply awake
-- @reply unindexed rests:int

if must_index(rests) then return { "unindexed", rests_so_far() } end
keep_listening(listen_ms)
stay_awake()
return { "awake" }
