-- Gives a claim back: the lane is due after a wait, and a mark of this lease is taken back.
function steps.release(lane, id, account, token, wait)
  token = tonumber(token)
  local l = lane_of(lane)
  if not held(l, id, token) then return ended(id, token, RELEASED) end
  local d = head_of(id, account)
  if l.mark == token then d.started = l.before end
  d.due = now + wait
  finish(l, d, RELEASED)
  schedule(l, d, d.due)
  put_lane(l)
  save(d)
  keep()
  return 1
end
