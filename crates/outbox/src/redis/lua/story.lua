-- A conversion, where it is recorded, with what was told of it.
function steps.story(id)
  local text, told = get('c', id), {}
  local c = conversion(id, text)
  for _, one in ipairs(each(c and c.told or '')) do table.insert(told, as_read(one)) end
  local is_recorded = c and c.made ~= NONE
  return {is_recorded and {id, text, 0} or false, told}
end
