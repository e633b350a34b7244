-- The latest ids of some lists below one id, the latest first. A list without a name is every account's.
function steps.list(below, first, many, name, ...)
  many = tonumber(many)
  local names = name ~= '' and {name} or call('SMEMBERS', key('accounts'))
  local ids = {}
  for _, list in ipairs({...}) do
    for _, of in ipairs(names) do
      local some = call('ZRANGE', key(list, of), below, first, 'BYLEX', 'REV', 'LIMIT', 0, many)
      for _, id in ipairs(some) do table.insert(ids, id) end
    end
  end
  table.sort(ids, function(one, other) return one > other end)
  local latest = {}
  for place = 1, math.min(many, #ids) do latest[place] = ids[place] end
  return latest
end

