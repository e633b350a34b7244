-- Which deliveries changed at or after a time, and when; nothing from before the feed's own time.
-- Of what changed at one time it says all, and it leaves out what changed again.
function steps.changed(since, many, kept)
  many = tonumber(many)
  -- From where the feed is read on, and how much of that time was read.
  local from, read_of_it = whole(math.max(since, now - kept + 1)), 0
  local said, told = {}, {}
  repeat
    local found = call('ZRANGE', only('changes'), from, '+inf', 'BYSCORE', 'LIMIT', read_of_it, 100, 'WITHSCORES')
    for place = 1, #found, 2 do
      local ids, at = found[place], found[place + 1]
      if #said >= 2 * many and at ~= said[#said] then return said end
      for _, id in ipairs(each(ids)) do
        local d = not told[id] and delivery(id)
        if d and d.updated == tonumber(at) then
          said[#said + 1], said[#said + 2], told[id] = id, at, true
        end
      end
      if at ~= from then from, read_of_it = at, 0 end
      read_of_it = read_of_it + 1
    end
  until #found == 0
  return said
end
