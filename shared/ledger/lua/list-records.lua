-- list-records: a page of sessions, jobs or orders, by rank in the set that lists them. Reads only.
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
  records[#records + 1] = read_hash(record_of(kind .. ":" .. id))
end
return { "page", encode_list(records), redis.call("ZCARD", list_key) }
