-- Reads conversions or deliveries by their ids; those that are gone or only awaited are left out.
function steps.get(sort, ids)
  local all = {}
  for _, id in ipairs(each(ids)) do
    local found = sort == 'd' and as_read(id) or {id, get(sort, id), 0}
    local is_awaited = sort == 'c' and sub(found[2] or '', 17, 32) == NONE
    if found[2] and not is_awaited then table.insert(all, found) end
  end
  return all
end
