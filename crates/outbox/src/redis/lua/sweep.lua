-- Lets changes die whose conversion never came, and removes what is past its time, or forgets the customer there.
-- What is settled is found by the feed of changes: by the last change of what was told of it.
-- Mends what was dated by a clock that ran ahead and was set right. Returns what was the matter with the first record
-- that cannot be read, which stays where it is and stops no other; how many others all that were; and the accounts of
-- those that died.
-- Nothing where the caller's clock, which says `theirs`, is further from this one than `apart`: one of them is wrong.
function steps.sweep(retention, changes_kept, most, code, message, ahead, longest, theirs, apart)
  if math.abs(now - theirs) > tonumber(apart) then return false end
  most = tonumber(most)
  local touched, dead, settled, damage = 0, {}, now - retention, ''

  local function each_of(names, step)
    for _, name in ipairs(names) do
      write()
      local done, trouble = pcall(step, name)
      if not done then
        forget()
        damage = damage ~= '' and damage or tostring(type(trouble) == 'table' and trouble.err or trouble)
      end
    end
  end

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

  -- The lanes of which conversions are removed, and by lane which those are: a click may have very many.
  local lanes, gone = {}, {}

  local function remove(c)
    local lane, all = c.lane, {}
    for at, told in ipairs(each(c.told)) do all[at] = read(delivery(told)) end
    for _, d in ipairs(all) do
      place(key(d.state, d.account), d.id, false)
      place(only('waiting'), d.id, false)
      call('DEL', key('d', d.id))
      lane, touched = d.lane, touched + 1
    end
    if c.made ~= NONE then place(key('conversions', c.account), c.id, false) end
    if not gone[lane] then lanes[#lanes + 1], gone[lane] = lane, {} end
    gone[lane][c.id] = true
    if c.user ~= '' then place(key('user', c.user), c.id, false) end
    if c.name ~= '' then call('DEL', key('k', c.name)) end
    call('DEL', key('c', c.id))
    -- The next one may be damaged.
    write()
    touched = touched + 1
  end

  each_of(past('waiting', now), function(id)
    local d = read(delivery(id))
    if d.state == 'waiting' then
      d.due, d.code, d.message = 0, code, message
      move(d, d.account, 'dead')
      save(d)
      table.insert(dead, d.account)
    else
      place(only('waiting'), id, false)
      forget_customer(d)
    end
    touched = touched + 1
  end)
  each_of(past('changes', settled), function(feed)
    if touched >= most then return end
    for _, id in ipairs(each(feed)) do
      local d = delivery(id)
      local c = d and conversion(read(d).conversion)
      if c and is_settled(c) then remove(c) end
    end
    place(only('changes'), feed, false)
    touched = touched + 1
  end)
  each_of(lanes, function(lane)
    local left = without(conversions_of(lane), gone[lane])
    if left == '' then
      call('DEL', key('of', lane))
    else
      put('of', lane, left)
    end
  end)
  for _, name in ipairs(past('reserved', now)) do
    place(only('reserved'), name, false)
    call('DEL', key('r', name))
    touched = touched + 1
  end

  local function beyond(name, time)
    return ask('ZRANGE', name, '(' .. time, '+inf', 'BYSCORE', 'LIMIT', 0, most)
  end

  each_of(beyond(only('changes'), now + ahead), function(feed)
    for _, id in ipairs(each(feed)) do
      local d = delivery(id)
      if d and d.updated > now + ahead then
        d.updated = now - changes_kept
        put_delivery(d)
      end
    end
    place(only('changes'), feed, whole(now - changes_kept))
    touched = touched + 1
  end)
  -- No schedule and no lease reaches further than the longest wait: such a lane is due now.
  for _, account in ipairs(call('SMEMBERS', only('accounts'))) do
    for _, class in ipairs(CLASSES) do
      for _, lane in ipairs(beyond(key(class, account), now + longest)) do
        place(key(class, account), lane, stamp)
        touched = touched + 1
      end
    end
  end
  return {damage, touched, dead}
end
