-- Removes what identifies a person from the conversions of a lane or a user; how many had any.
function steps.erase(list, name)
  local touched = 0
  for _, id in ipairs(call('ZRANGE', key(list, name), 0, -1)) do
    local c = key('c', id)
    local user = call('HGET', c, 'user')
    if user then call('ZREM', key('user', user), id) end
    local had = call('HDEL', c, 'customer', 'person', 'user')
    for _, delivery in ipairs(call('LRANGE', key('c', id, 'told'), 0, -1)) do
      had = had + call('HDEL', key('d', delivery), 'fields')
    end
    if had > 0 then touched = touched + 1 end
  end
  return touched
end

