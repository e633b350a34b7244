-- Records a conversion with its first delivery, unless its id or its key was recorded before.
function steps.record(this, id, lane, account, name, words, body, customer, person, user, lead, lead_body, due, expires, most)
  most = tonumber(most)
  local function known(c)
    return {c.made == this and 'new' or 'old', c.id, sub(c.told, 1, 16)}
  end

  local c = conversion(id)
  if c and c.made ~= NONE then return known(c) end
  local entry = name ~= '' and call('GET', key('k', name))
  if entry and #entry == 16 then
    id = entry
    c = conversion(id)
  elseif entry and sub(entry, 17) ~= words then
    return {'other', '', ''}
  elseif entry then
    local found = conversion(sub(entry, 1, 16))
    if found then return known(found) end
  end
  c = c or unknown(id, name)
  local waiting = {}
  for _, change in ipairs(each(c.told)) do
    local d = delivery(change)
    if d.state == 'waiting' then table.insert(waiting, d) end
  end
  local l = lane_of(lane)
  if #l.line / 16 + #waiting + 1 > most or #c.told / 16 + 1 > most then return {'full', '', ''} end

  c.lane, c.made, c.account, c.user = lane, this, account, user
  c.body, c.customer, c.person, c.told = body, customer, person, lead .. c.told
  if user ~= '' then call('ZADD', key('user', user), 0, id) end
  if name ~= '' then call('SET', key('k', name), id .. words) end
  call('ZADD', key('conversions', account), 0, id)
  call('ZADD', key('lane', lane), 0, id)
  local d = create(c, lead, this, account, lane, lead_body, '', due, expires, 'pending')
  enter(l, d)
  save(d)
  for _, change in ipairs(waiting) do
    change.lane = lane
    move(change, c, 'pending', '', '')
    enter(l, change)
    save(change)
  end
  put_conversion(c)
  put_lane(l)
  return {'new', id, lead}
end
