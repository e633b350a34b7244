-- Lets changes die whose conversion never came, and removes what is past its time.
-- What is settled is found by the feed of changes: by the last change of what was told of it.
-- Mends what was dated by a clock that ran ahead and was set right. Returns how many records all that were.
function steps.sweep(retention, changes_kept, most, code, message, ahead, longest)
  most = tonumber(most)
  local touched, settled = 0, now - retention

  local function past(name, time)
    return ask('ZRANGE', only(name), '-inf', time, 'BYSCORE', 'LIMIT', 0, math.max(most - touched, 1))
  end

  -- Whether all that was told of a conversion is over, and the last of it for so long.
  local function is_settled(c)
    for _, told in ipairs(each(c.told)) do
      local d = delivery(told)
      if not d or NUMBERS[d.state] < NUMBERS.delivered or d.updated > settled then return false end
    end
    return true
  end

  local function remove(c)
    local lane = c.lane
    for _, told in ipairs(each(c.told)) do
      local d = read(delivery(told))
      place(key(d.state, d.account), told, false)
      call('DEL', key('d', told))
      lane, touched = d.lane, touched + 1
    end
    if c.made ~= NONE then place(key('conversions', c.account), c.id, false) end
    local left = without(conversions_of(lane), c.id)
    if left == '' then
      call('DEL', key('of', lane))
    else
      put('of', lane, left)
    end
    if c.user ~= '' then place(key('user', c.user), c.id, false) end
    if c.name ~= '' then call('DEL', key('k', c.name)) end
    call('DEL', key('c', c.id))
    -- The next one may be of the same lane.
    write()
    touched = touched + 1
  end

  for _, id in ipairs(past('waiting', now)) do
    local d = read(delivery(id))
    d.due, d.code, d.message = 0, code, message
    move(d, d.account, 'dead')
    save(d)
    touched = touched + 1
  end
  for _, feed in ipairs(past('changes', settled)) do
    if touched < most then
      for _, id in ipairs(each(feed)) do
        local d = delivery(id)
        local c = d and conversion(read(d).conversion)
        if c and is_settled(c) then remove(c) end
      end
      place(only('changes'), feed, false)
      touched = touched + 1
    end
  end
  for _, name in ipairs(past('reserved', now)) do
    place(only('reserved'), name, false)
    call('DEL', key('r', name))
    touched = touched + 1
  end

  local function beyond(name, time)
    return ask('ZRANGE', name, '(' .. time, '+inf', 'BYSCORE', 'LIMIT', 0, most)
  end

  for _, feed in ipairs(beyond(only('changes'), now + ahead)) do
    for _, id in ipairs(each(feed)) do
      local d = delivery(id)
      if d and d.updated > now + ahead then
        d.updated = now - changes_kept
        put_delivery(d)
      end
    end
    place(only('changes'), feed, whole(now - changes_kept))
    touched = touched + 1
  end
  -- No schedule and no lease reaches further than the longest wait: such a lane is due now.
  for _, account in ipairs(call('SMEMBERS', only('accounts'))) do
    for _, class in ipairs(CLASSES) do
      for _, lane in ipairs(beyond(key(class, account), now + longest)) do
        place(key(class, account), lane, stamp)
        touched = touched + 1
      end
    end
  end
  return touched
end
