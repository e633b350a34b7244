-- Puts a change into its conversion's lane, or lets it wait for the conversion.
function steps.change(this, delivery, id, name, promised, account, lane, body, fields, due, expires, most)
  local d = {made = this, account = account, lane = lane, body = body, fields = fields, due = due, expires = expires}
  most = tonumber(most)

  local was = call('HMGET', key('d', delivery), 'conversion', 'made')
  if was[1] then return {was[2] == this and 'new' or 'old', was[1]} end
  if name ~= '' then id = call('HGET', key('k', name), 'conversion') or promised end
  local c = call('HMGET', key('c', id), 'made', 'lane', 'key')
  if name == '' and not c[1] and not c[3] then return {'none', ''} end
  d.lane = c[2] or d.lane
  if call('LLEN', key('l', d.lane, 'line')) + 1 > most then return {'full', ''} end
  if call('LLEN', key('c', id, 'told')) + 1 > most then return {'full', ''} end

  if c[1] then
    create(delivery, id, 'pending', d)
    enter(d.lane, d.account, delivery)
  else
    if name ~= '' then
      call('HSET', key('k', name), 'conversion', id)
      call('HSET', key('c', id), 'key', name)
    end
    create(delivery, id, 'waiting', d)
  end
  return {'new', id}
end

