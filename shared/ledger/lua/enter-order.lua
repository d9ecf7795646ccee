-- enter-order: an order lives in these namespaces, besides or instead of the project's default one, where everybody
-- looks unasked. Written before the order itself: a reader may find nothing there, never miss what is there.
-- @slot directory
-- @key order order:<order>
-- @key room room:<room>
-- @arg order string Order id.
-- @arg room string Room name.
-- @arg namespaces strings Where it lives.
-- @arg keep-ms int How long the entry is kept from now; outlives every order.
-- @reply entered

for _, key in ipairs(#namespaces > 0 and { order_key, room_key } or {}) do
  redis.call("SADD", key, unpack(namespaces))
  redis.call("PEXPIRE", key, keep_ms)
end
return { "entered" }
