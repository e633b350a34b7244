-- Reads conversions or deliveries by their ids; those that are gone or only awaited are left out.
function steps.get(sort, ids)
  local all = {}
  for _, id in ipairs(each(ids)) do
    local text = get(sort, id)
    if text and sort == 'd' then table.insert(all, as_read(id)) end
    if text and sort == 'c' and sub(text, 17, 32) ~= NONE then table.insert(all, {id, text, 0}) end
  end
  return all
end
