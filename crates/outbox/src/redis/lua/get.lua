-- Reads conversions or deliveries by their ids; those that are gone are left out.
function steps.get(sort, ...)
  local read = sort == 'c' and record or whole
  local all = {}
  for _, id in ipairs({...}) do
    if call('HEXISTS', key(sort, id), 'body') == 1 then table.insert(all, read(id)) end
  end
  return all
end

