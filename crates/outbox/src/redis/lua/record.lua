-- Records a conversion with its first delivery, unless its id or its key was recorded before.
function steps.record(this, id, lane, account, name, words, body, customer, person, user, delivery, own_body, due, expires, most)
  local d = {made = this, account = account, lane = lane, body = own_body, fields = '', due = due, expires = expires, lead = true}
  most = tonumber(most)

  local function known(conversion)
    local made = call('HGET', key('c', conversion), 'made')
    if not made then return nil end
    return {made == this and 'new' or 'old', conversion, call('LINDEX', key('c', conversion, 'told'), 0)}
  end

  local found = known(id)
  if found then return found end
  local entry = name ~= '' and call('HMGET', key('k', name), 'conversion', 'words') or {}
  if entry[1] and not entry[2] then
    id = entry[1]
  elseif entry[1] and entry[2] ~= words then
    return {'other', '', ''}
  elseif entry[1] then
    found = known(entry[1])
    if found then return found end
  end
  local told = call('LRANGE', key('c', id, 'told'), 0, -1)
  local waiting = {}
  for _, change in ipairs(told) do
    if call('HGET', key('d', change), 'state') == 'waiting' then table.insert(waiting, change) end
  end
  if call('LLEN', key('l', lane, 'line')) + #waiting + 1 > most or #told + 1 > most then return {'full', '', ''} end

  call('HSET', key('c', id), 'account', account, 'lane', lane, 'body', body, 'made', this)
  if customer ~= '' then call('HSET', key('c', id), 'customer', customer) end
  if person ~= '' then call('HSET', key('c', id), 'person', person) end
  if user ~= '' then
    call('HSET', key('c', id), 'user', user)
    call('ZADD', key('user', user), 0, id)
  end
  if name ~= '' then
    call('HSET', key('c', id), 'key', name)
    call('HSET', key('k', name), 'conversion', id, 'words', words)
  end
  call('ZADD', key('conversions', account), 0, id)
  call('ZADD', key('lane', lane), 0, id)
  call('HINCRBY', key('counts', account), 'conversions', 1)
  create(delivery, id, 'pending', d)
  enter(lane, account, delivery)
  for _, change in ipairs(waiting) do
    call('HSET', key('d', change), 'lane', lane)
    move(change, 'pending', '', '')
    enter(lane, account, change)
  end
  return {'new', id, delivery}
end

