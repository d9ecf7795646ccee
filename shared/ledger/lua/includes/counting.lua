-- counting: a worker that says to run another number of jobs than we know of. One sample says nothing: jobs come and go between
-- it and us. The same difference in several in a row is the worker's word.

local MOST_TIMES = 4

-- `difference`: the worker's count less ours. Answers it, whether it has just been believed, and the fields that change.
-- What a worker runs beyond what we know takes places; what we know of beyond that keeps its own, for it may be on its way.
local function compare_counts(session, difference)
  local was, times = tonumber(session.miscount or 0), tonumber(session.miscounts or 0)
  if difference == 0 then
    if times == 0 then return 0, false, {} end
    return 0, times >= MOST_TIMES, { "miscount", 0, "miscounts", 0, "surplus", 0 }
  end
  times = difference == was and math.min(MOST_TIMES + 1, times + 1) or 1
  local fields = { "miscount", difference, "miscounts", times }
  if times == MOST_TIMES then
    fields[#fields + 1] = "surplus"
    fields[#fields + 1] = math.max(0, difference)
  end
  return difference, times == MOST_TIMES, fields
end
