-- Records a conversion with its first delivery, unless its id or its key was recorded before.
-- Says the ids of both and a word, or only a word.
function steps.record(head, account, name, words, user, record, tail)
  local this, id, lane, lead, due, expires = struct.unpack('<c16c16c16c16dd', head)
  local function known(c)
    return c.id .. sub(c.told, 1, 16) .. (c.made == this and 'new' or 'old')
  end

  local found = call('MGET', key('c', id), key('l', lane), key('k', name))
  local c, entry = conversion(id, found[1]), name ~= '' and found[3]
  if c and c.made ~= NONE then
    local is_same = not entry or sub(entry, 1, 16) ~= id or sub(entry, 17) == words
    return is_same and known(c) or 'other'
  end
  if entry and #entry == 16 then
    id = entry
    c = conversion(id)
  elseif entry and sub(entry, 17) ~= words then
    return 'other'
  elseif entry then
    local other = conversion(sub(entry, 1, 16))
    if other then return known(other) end
  end
  local told, customer = c and c.told or '', sub(record, 33, 36) ~= '\0\0\0\0' and 1 or 0
  local waiting = {}
  for _, change in ipairs(each(told)) do
    local d = delivery(change)
    if d.state == 'waiting' then table.insert(waiting, d) end
  end
  local l = lane_of(lane, found[2])
  if #l.line / 16 + #waiting + 1 > MOST_TOLD or #told / 16 + 1 > MOST_TOLD then return 'full' end

  if told == '' then
    put('c', id, record)
  else
    c = conversion(id, record)
    c.told = lead .. told
    put_conversion(c)
  end
  if user ~= '' then place(key('user', user), id, '0') end
  if name ~= '' then put('k', name, id .. words) end
  place(key('conversions', account), id, '0')
  local d = create(id, customer, lead, this, account, lane, tail, due, expires, 'pending')
  enter(l, account, d)
  save(d)
  for _, change in ipairs(waiting) do
    read(change)
    change.lane, change.customer = lane, customer
    move(change, account, 'pending')
    enter(l, account, change)
    save(change)
  end
  put_lane(l)
  if told == '' then ask('APPEND', key('of', lane), id) end
  return id .. lead .. 'new'
end
