-- Ends a claim: keeps the attempt, and lets the lane go on, wait or stand.

-- Puts a change behind its lead, which was replayed meanwhile and stands in the same line: among the other changes in
-- the order in which they came.
local function follow(l, id, told)
  local came, line, place = {}, each(l.line), nil
  for at, one in ipairs(told) do came[one] = at end
  for at, one in ipairs(line) do
    if one == told[1] then place = #line + 1 end
    if place == #line + 1 and (came[one] or 0) > came[id] then place = at end
  end
  table.insert(line, place or #line + 1, id)
  l.line = table.concat(line)
end

-- Keeps an attempt, which has its length before it: the first one and the latest.
local function keep_attempt(d, attempt)
  d.tries = d.tries + 1
  if d.rest then
    d.rest = d.rest .. attempt
  else
    d.attempts = d.attempts .. attempt
  end
  if d.tries <= MOST_TRIED then return end
  if d.rest then read(d) end
  local second = struct.unpack('<I4', d.attempts) + 5
  local third = second + struct.unpack('<I4', d.attempts, second) + 4
  d.tries, d.attempts = MOST_TRIED, sub(d.attempts, 1, second - 1) .. sub(d.attempts, third)
end

-- A change that is to die with its lead waits behind it instead, where that one is to be sent once more.
function steps.settle(fence, outcome, attempt)
  local lane, id, token, account = parts(fence)
  local found = call('MGET', key('l', lane), key('d', id))
  local l = lane_of(lane, found[1])
  if not held(l, id, token) then return ended(id, token, SETTLED) end

  local d = delivery(id, found[2])
  local state, wait, code, message, remote = struct.unpack('<BdI4c0I4c0I4c0', outcome)
  state = STATES[state]
  local told
  if code ~= '' or remote ~= '' then
    read(d)
    if state == 'dead' and code == WITH_LEAD then
      local all = each(conversion(d.conversion).told)
      if all[1] ~= id and delivery(all[1]).state == 'pending' then
        told, state, code, message, wait = all, 'pending', '', '', 0
      end
    end
    d.code, d.message = code, message
    if remote ~= '' then d.remote = remote end
  end
  d.started = attempt == '' and state == 'in_doubt' and l.began or 0
  if attempt ~= '' then keep_attempt(d, attempt) end
  d.due = state == 'pending' and now + wait or 0
  finish(l, d, SETTLED)
  move(d, account, state)
  save(d)
  if told then
    follow(l, id, told)
    pop(l, account)
  elseif state == 'pending' then
    schedule(l, account, d, d.due)
  elseif state == 'in_doubt' then
    hide(l, account)
  else
    pop(l, account)
  end
  put_lane(l)
  return 1
end
