-- records: reading a hash as a table, and writing lists as JSON.

-- The hash as a table, and as Redis gave it; nil when there is none.
local function read_hash(key)
  local flat = redis.call("HGETALL", key)
  if #flat == 0 then return nil, flat end
  local record = {}
  for index = 1, #flat, 2 do record[flat[index]] = flat[index + 1] end
  return record, flat
end

-- cjson writes an empty table as {}; a list of nothing is [].
local function encode_list(list)
  if #list == 0 then return "[]" end
  return cjson.encode(list)
end
