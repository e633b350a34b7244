-- Puts a dead letter back at the end of its lane; behind a conversion's own those that died with it.
function steps.replay(this, id)
  local d = delivery(id)
  if not d then return {'none', ''} end
  read(d)
  if d.decided == this then return {'done', as_read(id)} end
  if d.state ~= 'dead' then return {'not', d.state} end
  if now >= d.expires then return {'over', ''} end
  local c, l = conversion(d.conversion), lane_of(d.lane)
  if c.made == NONE then return {'alone', ''} end

  local all, told = {d}, each(c.told)
  if told[1] == id then
    for place = 2, #told do
      local change = read(delivery(told[place]))
      local died_with_it = change.state == 'dead' and change.code == WITH_LEAD
      if died_with_it and now < change.expires then table.insert(all, change) end
    end
  end
  if #l.line / 16 + #all > MOST_TOLD then return {'full', ''} end

  d.decided = this
  for _, one in ipairs(all) do
    one.due, one.started, one.customer = 0, 0, c.customer ~= '' and 1 or 0
    one.code, one.message = '', ''
    move(one, d.account, 'pending')
    enter(l, d.account, one)
    save(one)
  end
  put_lane(l)
  return {'done', as_read(id)}
end
