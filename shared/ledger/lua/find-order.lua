-- find-order: the namespaces, besides the default one, where an order or the orders of a room may live. Reads only.
-- @slot directory
-- @key order order:<order>
-- @key room room:<room>
-- @arg order string Order id; empty to look for a room.
-- @arg room string Room name; empty to look for an order.
-- @reply found namespaces:strings

return { "found", redis.call("SUNION", order_key, room_key) }
