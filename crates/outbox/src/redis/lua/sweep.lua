-- Lets changes die whose conversion never came, and removes what is past its time.
-- What is settled is found by the feed of changes: by the last change of what was told of it.
-- Mends what was dated by a clock that ran ahead and was set right. Returns how many records all that were.
function steps.sweep(retention, changes_kept, most, code, message, ahead, longest)
  most = tonumber(most)
  local touched, settled = 0, now - retention

  local function past(name, time)
    return call('ZRANGE', key(name), '-inf', time, 'BYSCORE', 'LIMIT', 0, math.max(most - touched, 1))
  end

  -- Whether all that was told of a conversion is over, and the last of it for so long.
  local function is_settled(id)
    for _, told in ipairs(each(conversion(id).told)) do
      if not is_over(told) then return false end
      local changed = call('ZSCORE', key('changes'), told)
      if changed and tonumber(changed) > settled then return false end
    end
    return true
  end

  local function forget(id)
    local c = conversion(id)
    for _, told in ipairs(each(c.told)) do
      local d = delivery(told)
      call('ZREM', key(d.state, d.account), told)
      call('ZREM', key('changes'), told)
      call('DEL', key('d', told))
      touched = touched + 1
    end
    if c.made ~= NONE then
      call('ZREM', key('conversions', c.account), id)
      call('ZREM', key('lane', c.lane), id)
    end
    if c.user ~= '' then call('ZREM', key('user', c.user), id) end
    if c.name ~= '' then call('DEL', key('k', c.name)) end
    call('DEL', key('c', id))
    touched = touched + 1
  end

  for _, id in ipairs(past('waiting', now)) do
    local d = delivery(id)
    d.due = 0
    move(d, 'dead', code, message)
    save(d)
    touched = touched + 1
  end
  keep()
  for _, id in ipairs(past('changes', settled)) do
    local d = touched < most and delivery(id)
    if d and is_settled(d.conversion) then
      forget(d.conversion)
    elseif touched < most then
      call('ZREM', key('changes'), id)
      touched = touched + (d and 1 or 0)
    end
  end
  for _, name in ipairs(past('reserved', now)) do
    call('ZREM', key('reserved'), name)
    call('DEL', key('r', name))
    touched = touched + 1
  end

  local function beyond(name, time)
    return call('ZRANGE', name, '(' .. time, '+inf', 'BYSCORE', 'LIMIT', 0, most)
  end

  for _, id in ipairs(beyond(key('changes'), now + ahead)) do
    call('ZADD', key('changes'), now - changes_kept, id)
    touched = touched + 1
  end
  -- No schedule and no lease reaches further than the longest wait: such a lane is due now.
  for _, account in ipairs(call('SMEMBERS', key('accounts'))) do
    for _, class in ipairs({'fresh', 'retry'}) do
      for _, lane in ipairs(beyond(key(class, account), now + longest)) do
        call('ZADD', key(class, account), now, lane)
        touched = touched + 1
      end
    end
  end
  return touched
end
