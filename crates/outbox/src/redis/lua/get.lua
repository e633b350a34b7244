-- Reads conversions or deliveries by their ids; those that are gone or only awaited are left out.
function steps.get(sort, ...)
  local all = {}
  for _, id in ipairs({...}) do
    local text = call('GET', key(sort, id))
    if text and (sort == 'd' or sub(text, 17, 32) ~= NONE) then table.insert(all, {id, text}) end
  end
  return all
end
