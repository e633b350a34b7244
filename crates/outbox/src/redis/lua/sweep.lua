-- Lets changes die whose conversion never came, and removes what is past its time.
-- Mends what was dated by a clock that ran ahead and was set right. Returns how many records all that were.
function steps.sweep(retention, changes_kept, most, code, message, ahead, longest)
  most = tonumber(most)
  local touched = 0

  local function past(name, time)
    return call('ZRANGE', key(name), '-inf', time, 'BYSCORE', 'LIMIT', 0, math.max(most - touched, 1))
  end

  local function forget(id)
    local c = call('HMGET', key('c', id), 'account', 'lane', 'user', 'key')
    for _, delivery in ipairs(call('LRANGE', key('c', id, 'told'), 0, -1)) do
      local d = call('HMGET', key('d', delivery), 'account', 'state')
      count(delivery, d[1], d[2], -1)
      call('ZREM', key('changes'), delivery)
      call('DEL', key('d', delivery), key('d', delivery, 'attempts'))
      touched = touched + 1
    end
    if c[1] then
      call('ZREM', key('conversions', c[1]), id)
      call('ZREM', key('lane', c[2]), id)
      call('HINCRBY', key('counts', c[1]), 'conversions', -1)
    end
    if c[3] then call('ZREM', key('user', c[3]), id) end
    if c[4] then call('DEL', key('k', c[4])) end
    call('DEL', key('c', id), key('c', id, 'told'))
    touched = touched + 1
  end

  for _, id in ipairs(past('waiting', now)) do
    call('HDEL', key('d', id), 'due')
    move(id, 'dead', code, message)
    touched = touched + 1
  end
  for _, id in ipairs(past('settled', now - retention)) do
    if touched < most then
      call('ZREM', key('settled'), id)
      forget(id)
    end
  end
  for _, name in ipairs(past('reserved', now)) do
    call('ZREM', key('reserved'), name)
    call('DEL', key('r', name))
    touched = touched + 1
  end
  for _, id in ipairs(past('changes', now - changes_kept)) do
    call('ZREM', key('changes'), id)
    touched = touched + 1
  end

  local function beyond(name, time)
    return call('ZRANGE', name, '(' .. time, '+inf', 'BYSCORE', 'LIMIT', 0, most)
  end

  for _, id in ipairs(beyond(key('changes'), now + ahead)) do
    call('ZREM', key('changes'), id)
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

