-- list-records: a page of sessions, jobs or orders, by rank in the set that lists them, without what can be large
-- (metadata, attributes, messages of LiveKit, who was considered): read-record has that. Reads only.
-- @key list <list>
-- @include records
-- @family record
-- @arg list string sessions | jobs | ended-jobs | orders | ended-orders
-- @arg kind string session | job | order
-- @arg offset int First rank.
-- @arg limit int Records, at most 500.
-- @reply page records:json:Record<string,string>[] total:int

local records = {}
for _, id in ipairs(redis.call("ZRANGE", list_key, offset, offset + limit - 1)) do
  local record = read_hash(record_of(kind .. ":" .. id))
  if record then
    record.metadata, record.attributes, record.room_info, record.participant_info = nil, nil, nil, nil
    record.considered = nil
    records[#records + 1] = record
  end
end
return { "page", encode_list(records), redis.call("ZCARD", list_key) }
