-- Marks that an attempt begins that cannot be repeated, unless the lease is lost or over.
function steps.start(lane, id, account, token)
  token = tonumber(token)
  local l = lane_of(lane)
  if not held(l, id, token) or now >= l.ends then return 0 end
  if l.mark == token then return 1 end
  local d = head_of(id, account)
  l.mark, l.before = token, d.started
  d.started = now
  put_lane(l)
  save(d)
  keep()
  return 1
end
