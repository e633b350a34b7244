-- Gives a claim back: the lane is due after a wait, and a mark of this lease is taken back.
function steps.release(lane, id, token, wait)
  local at = now + wait
  if not held(lane, id, token) then return ended(id, token, 'released') end
  local d = key('d', id)
  local mark = call('HMGET', key('l', lane), 'mark', 'before')
  if mark[1] == token then
    if mark[2] then call('HSET', d, 'started', mark[2]) else call('HDEL', d, 'started') end
  end
  call('HSET', d, 'due', at)
  finish(lane, id, token, 'released')
  schedule(lane, call('HGET', d, 'account'), id, at)
  touch(id)
  return 1
end

