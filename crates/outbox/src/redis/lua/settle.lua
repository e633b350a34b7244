-- Ends a claim: keeps the attempt, and lets the lane go on, wait or stand.
-- A change that is to die with its lead goes behind it where that one was replayed meanwhile, and waits in
-- the same lane: among the other changes in the order in which they came.
function steps.settle(lane, id, account, token, state, code, message, remote, wait, attempt, most, with_lead)
  token, most = tonumber(token), tonumber(most)
  local l = lane_of(lane)
  if not held(l, id, token) then return ended(id, token, SETTLED) end

  -- Without words to keep, nothing changes but the head and what is appended.
  local d = head_of(id, account)
  if code ~= '' or remote ~= '' or d.tries == most then d = delivery(id) end
  local follows, told, lead = false, nil, nil
  if state == 'dead' and code == with_lead then
    told = conversion(d.conversion).told
    lead = sub(told, 1, 16)
    follows = lead ~= id and delivery(lead).state == 'pending'
  end
  if follows then state, code, message, wait = 'pending', '', '', 0 end
  if attempt ~= '' then
    d.tries = d.tries + 1
    local length = struct.pack('<I4', #attempt)
    if d.body then
      d.attempts = d.attempts .. length .. attempt
    else
      call('APPEND', key('d', id), length .. attempt)
    end
    if d.tries > most then
      local second = struct.unpack('<I4', d.attempts) + 5
      local third = second + struct.unpack('<I4', d.attempts, second) + 4
      d.tries, d.attempts = most, sub(d.attempts, 1, second - 1) .. sub(d.attempts, third)
    end
  end
  if attempt ~= '' or state ~= 'in_doubt' then d.started = 0 end
  if remote ~= '' then d.remote = remote end
  d.due = wait ~= '' and now + wait or 0
  finish(l, d, SETTLED)
  move(d, state, code, message)
  save(d)
  if follows then
    local came, line, place = {}, each(l.line), nil
    for at, one in ipairs(each(told)) do came[one] = at end
    for at, one in ipairs(line) do
      if one == lead then place = #line + 1 end
      if place == #line + 1 and (came[one] or 0) > came[id] then place = at end
    end
    table.insert(line, place or #line + 1, id)
    l.line = table.concat(line)
    pop(l, d.account)
  elseif state == 'pending' then
    schedule(l, d, d.due)
  elseif state == 'in_doubt' then
    hide(l, d.account)
  else
    pop(l, d.account)
  end
  put_lane(l)
  keep()
  return 1
end
