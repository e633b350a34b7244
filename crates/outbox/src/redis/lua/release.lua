-- Gives a claim back: the lane is due after a wait, and a mark of this lease is taken back.
function steps.release(fence, wait)
  local lane, id, token, account = parts(fence)
  local found = call('MGET', key('l', lane), key('d', id))
  local l = lane_of(lane, found[1])
  if not held(l, id, token) then return ended(id, token, RELEASED) end
  local d = delivery(id, found[2])
  local began = l.mark == token and l.before or l.began
  d.due = now + wait
  finish(l, d, RELEASED)
  l.began = began
  schedule(l, account, d, d.due)
  put_lane(l)
  save(d)
  return 1
end
