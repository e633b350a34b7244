-- Marks that an attempt begins that cannot be repeated, unless the lease is lost or over.
function steps.start(fence)
  local lane, id, token = parts(fence)
  local l = lane_of(lane)
  if not held(l, id, token) or now >= l.ends then return 0 end
  if l.mark == token then return 1 end
  l.mark, l.before, l.began = token, l.began, now
  put_lane(l)
  return 1
end
