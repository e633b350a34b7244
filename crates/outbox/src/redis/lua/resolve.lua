-- Decides a delivery in doubt: the network has it, or it is sent again.
function steps.resolve(this, id, to)
  local delivered = to == 'delivered'
  local d = key('d', id)
  local was = call('HMGET', d, 'state', 'decided', 'account', 'lane')
  if not was[1] then return {'none', ''} end
  if was[2] == this then return {'done', whole(id)} end
  if was[1] ~= 'in_doubt' then return {'not', was[1]} end

  call('HSET', d, 'decided', this)
  call('HDEL', d, 'started')
  if delivered then
    move(id, 'delivered', '', '')
    pop(was[4], was[3])
  else
    move(id, 'pending', '', '')
    turn(was[4], was[3], id)
  end
  return {'done', whole(id)}
end

