-- read-splits: the splits of a namespace, by agent, with what came of the jobs they placed. Reads only.
-- @include splitting
-- @reply splits splits:json:shapes.SplitRecord[]

local splits = {}
local flat = redis.call("HGETALL", splits_key)
for index = 1, #flat, 2 do
  local agent = flat[index]
  local record = { agent = agent, split = cjson.decode(flat[index + 1]) }
  local kept = read_hash(split_of(agent)) or {}
  for _, side in ipairs({ "stable", "candidate" }) do
    record[side] = {}
    for _, count in ipairs({ "jobs", "good", "bad" }) do record[side][count] = tonumber(kept[side .. "_" .. count] or 0) end
  end
  local since = "(" .. string.format("%.0f", now - COUNTED_MS)
  record.lately_good = redis.call("ZCOUNT", split_good_of(agent), since, "+inf")
  record.lately_bad = redis.call("ZCOUNT", split_bad_of(agent), since, "+inf")
  record.percent = record.split.rolled_back_at and 0 or percent_now(record.split)
  record.at = now
  splits[#splits + 1] = record
end
return { "splits", encode_list(splits) }
