-- Puts a dead letter back at the end of its lane; behind a conversion's own those that died with it.
function steps.replay(this, id, with_lead, most)
  most = tonumber(most)
  local d = key('d', id)
  local was = call('HMGET', d, 'state', 'decided', 'account', 'lane', 'conversion', 'expires')
  if not was[1] then return {'none', ''} end
  if was[2] == this then return {'done', whole(id)} end
  if was[1] ~= 'dead' then return {'not', was[1]} end
  if now >= tonumber(was[6]) then return {'over', ''} end
  if not call('HGET', key('c', was[5]), 'made') then return {'alone', ''} end

  local all, told = {id}, call('LRANGE', key('c', was[5], 'told'), 0, -1)
  if told[1] == id then
    for place = 2, #told do
      local change = told[place]
      local c = call('HMGET', key('d', change), 'state', 'code', 'expires')
      if c[1] == 'dead' and c[2] == with_lead and now < tonumber(c[3]) then table.insert(all, change) end
    end
  end
  if call('LLEN', key('l', was[4], 'line')) + #all > most then return {'full', ''} end

  call('HSET', d, 'decided', this)
  for _, one in ipairs(all) do
    call('HDEL', key('d', one), 'due', 'started')
    move(one, 'pending', '', '')
    enter(was[4], was[3], one)
  end
  return {'done', whole(id)}
end

