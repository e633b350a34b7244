-- Records a conversion with its first delivery, unless its id or its key was recorded before.
-- Says the ids of both and a word, or only a word.
function steps.record(this, id, lane, account, name, words, user, record, lead, tail, due, expires, most)
  most = tonumber(most)
  local function known(c)
    return c.id .. sub(c.told, 1, 16) .. (c.made == this and 'new' or 'old')
  end

  local kept = call('MGET', key('c', id), key('l', lane), key('k', name))
  local c, entry = conversion(id, kept[1]), name ~= '' and kept[3]
  if c and c.made ~= NONE then return known(c) end
  if entry and #entry == 16 then
    id = entry
    c = conversion(id)
  elseif entry and sub(entry, 17) ~= words then
    return 'other'
  elseif entry then
    local found = conversion(sub(entry, 1, 16))
    if found then return known(found) end
  end
  local told, customer = c and c.told or '', sub(record, 33, 36) ~= '\0\0\0\0' and 1 or 0
  local waiting = {}
  for _, change in ipairs(each(told)) do
    local d = delivery(change)
    if d.state == 'waiting' then table.insert(waiting, d) end
  end
  local l = lane_of(lane, kept[2])
  if #l.line / 16 + #waiting + 1 > most or #told / 16 + 1 > most then return 'full' end

  if told == '' then
    put(key('c', id), record)
  else
    c = conversion(id, record)
    c.told = lead .. told
    put_conversion(c)
  end
  if user ~= '' then call('ZADD', key('user', user), '0', id) end
  if name ~= '' then put(key('k', name), id .. words) end
  call('ZADD', key('conversions', account), '0', id)
  call('ZADD', key('lane', lane), '0', id)
  local d = create(id, customer, lead, this, account, lane, tail, due, expires, 'pending')
  enter(l, d)
  save(d)
  for _, change in ipairs(waiting) do
    change.lane, change.customer = lane, customer
    move(change, 'pending', '', '')
    enter(l, change)
    save(change)
  end
  put_lane(l)
  keep()
  return id .. lead .. 'new'
end
