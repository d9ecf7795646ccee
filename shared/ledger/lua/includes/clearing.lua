-- clearing: an acceptance shows that a worker answers, and that a job can be taken. Of what is kept of both that came to
-- nothing (includes/blaming), silence and refusals go.

local function write_or_drop(key, field, text)
  if text then redis.call("HSET", key, field, text) else redis.call("HDEL", key, field) end
end

-- What is left of a list of entries, each with `;` behind it, without those of which `goes` says so; nil when nothing is.
local function entries_without(text, goes)
  local left = string.gsub(text, "[^;]*;", function(entry) return goes(entry) and "" or nil end)
  return left ~= "" and left or nil
end

local function clear_by_acceptance(worker, struck, taken, doubts)
  if struck then
    write_or_drop(worker, "struck", entries_without(struck, function(entry)
      return string.find(entry, "^silent,") or string.find(entry, "^rejects,")
    end))
  end
  if doubts then
    local left = entries_without(doubts, function(entry)
      return string.find(entry, ",silent;", 1, true) or string.find(entry, ",rejects;", 1, true)
    end)
    if left == doubts then return end
    write_or_drop(taken, "doubts", left)
    if not left or not string.find(left, ";.") then redis.call("HDEL", taken, "suspect_at", "suspect_told") end
  end
end
