-- Marks that an attempt begins that cannot be repeated, unless the lease is lost or over.
function steps.start(lane, id, token)
  if not held(lane, id, token) then return 0 end
  local l, d = key('l', lane), key('d', id)
  local lease = call('HMGET', l, 'ends', 'mark')
  if now >= tonumber(lease[1]) then return 0 end
  if lease[2] == token then return 1 end
  local before = call('HGET', d, 'started')
  call('HSET', l, 'mark', token)
  if before then call('HSET', l, 'before', before) else call('HDEL', l, 'before') end
  call('HSET', d, 'started', now)
  touch(id)
  return 1
end

