-- A conversion, where it is recorded, with what was told of it.
function steps.story(id)
  local told = {}
  for _, delivery in ipairs(call('LRANGE', key('c', id, 'told'), 0, -1)) do table.insert(told, whole(delivery)) end
  return {call('HEXISTS', key('c', id), 'made') == 1 and record(id), told}
end

