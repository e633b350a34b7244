-- Decides a delivery in doubt: the network has it, or it is sent again.
function steps.resolve(this, id, to)
  local d = delivery(id)
  if not d then return {'none', ''} end
  if d.decided == this then return {'done', whole(id)} end
  if d.state ~= 'in_doubt' then return {'not', d.state} end

  local l = lane_of(d.lane)
  d.decided, d.started = this, 0
  if to == 'delivered' then
    move(d, 'delivered', '', '')
    pop(l, d.account)
  else
    move(d, 'pending', '', '')
    turn(l, d)
  end
  save(d)
  put_lane(l)
  keep()
  return {'done', whole(id)}
end
