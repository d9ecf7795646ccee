-- Lanes have their entries in the queue.
--
-- KEYS  1 unqueued  hash: lane to key of its first item
-- ARGV  1 lane, 2 key, and so on
-- Reply { "noted" }
--
-- Only for the same first item: the lane may have run empty and be filled anew since it was read.

for index = 1, #ARGV, 2 do
  if redis.call("HGET", KEYS[1], ARGV[index]) == ARGV[index + 1] then redis.call("HDEL", KEYS[1], ARGV[index]) end
end
return { "noted" }
