-- Which deliveries changed at or after a time, and when; nothing from before the feed's own time.
-- Of what changed at one time it says all, and it leaves out what changed again.
function steps.changed(since, many, kept)
  since, many = whole(math.max(since, now - kept + 1)), tonumber(many)
  local said, at = {}, 0
  repeat
    local found = call('ZRANGE', only('changes'), since, '+inf', 'BYSCORE', 'LIMIT', at, 100, 'WITHSCORES')
    for place = 1, #found, 2 do
      if #said >= 2 * many and found[place + 1] ~= said[#said] then return said end
      for _, id in ipairs(each(found[place])) do
        local d = delivery(id)
        if d and d.updated == tonumber(found[place + 1]) then
          said[#said + 1], said[#said + 2] = id, found[place + 1]
        end
      end
    end
    at = at + 100
  until #found == 0
  return said
end
