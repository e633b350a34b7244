-- Keeps what a request was resolved to, unless something is kept; returns what is.
function steps.reserve(name, ends, mine)
  local r = key('r', name)
  local kept = call('HMGET', r, 'ends', 'record')
  if kept[1] and tonumber(kept[1]) > now then return kept[2] end
  call('HSET', r, 'ends', ends, 'record', mine)
  call('ZADD', key('reserved'), ends, name)
  return mine
end

