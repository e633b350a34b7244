-- A conversion, where it is recorded, with what was told of it.
function steps.story(id)
  local c, told = conversion(id), {}
  for _, one in ipairs(each(c and c.told or '')) do table.insert(told, as_read(one)) end
  local is_recorded = c and c.made ~= NONE
  return {is_recorded and {id, get('c', id), 0} or false, told}
end
