-- The latest ids of some lists below one id, the latest first. A list without a name is every account's.
function steps.list(below, first, many, name, ...)
  many = tonumber(many)
  local names = name ~= '' and {name} or call('SMEMBERS', only('accounts'))
  local ids = {}
  for _, list in ipairs({...}) do
    for _, of in ipairs(names) do
      local some = call('ZRANGE', key(list, of), below, first, 'BYLEX', 'REV', 'LIMIT', 0, many)
      -- Texts are compared by the server's language, numbers are not.
      for _, id in ipairs(some) do table.insert(ids, {id, struct.unpack('>I6I6I4', id)}) end
    end
  end
  table.sort(ids, function(one, other)
    if one[2] ~= other[2] then return one[2] > other[2] end
    if one[3] ~= other[3] then return one[3] > other[3] end
    return one[4] > other[4]
  end)
  local latest = {}
  for place = 1, math.min(many, #ids) do latest[place] = ids[place][1] end
  return latest
end
