-- Which deliveries changed at or after a time, and when.
-- Nothing from before the feed's own time, and not what changed again. Looks at one piece of the feed, behind as much of
-- that time as was read; says where the next piece begins, or nothing where there is none.
function steps.changed(since, read_of_it, kept)
  local first = now - kept + 1
  local from, read = math.max(since, first), since + 0 >= first and read_of_it + 0 or 0
  local found = call('ZRANGE', only('changes'), whole(from), '+inf', 'BYSCORE', 'LIMIT', read, 100, 'WITHSCORES')
  local said = {}
  for place = 1, #found, 2 do
    local ids, at = found[place], tonumber(found[place + 1])
    for _, id in ipairs(each(ids)) do
      local d = delivery(id)
      if d and d.updated == at then said[#said + 1] = {id, at} end
    end
    if at ~= from then from, read = at, 0 end
    read = read + 1
  end
  return {#found == 200 and {from, read} or false, said}
end
