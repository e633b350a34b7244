-- Decides a delivery in doubt: the network has it, or it is sent again.
function steps.resolve(this, id, to)
  local d = delivery(id)
  if not d then return {'none', ''} end
  read(d)
  if d.decided == this then return {'done', as_read(id)} end
  if d.state ~= 'in_doubt' then return {'not', d.state} end

  local l = lane_of(d.lane)
  d.decided, d.started, d.code, d.message = this, 0, '', ''
  if to == 'delivered' then
    move(d, d.account, 'delivered')
    pop(l, d.account)
  else
    move(d, d.account, 'pending')
    d.due = now
    schedule(l, d.account, d, now)
  end
  save(d)
  put_lane(l)
  return {'done', as_read(id)}
end
