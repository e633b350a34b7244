-- Ends a claim: keeps the attempt, and lets the lane go on, wait or stand.
-- A change that is to die with its lead goes behind it where that one was replayed meanwhile, and waits in the same
-- lane: among the other changes in the order in which they came.
function steps.settle(lane, id, token, state, code, message, remote, wait, attempt, most, with_lead)
  most = tonumber(most)
  if not held(lane, id, token) then return ended(id, token, 'settled') end

  local d, attempts = key('d', id), key('d', id, 'attempts')
  local account = call('HGET', d, 'account')
  local told = call('LRANGE', key('c', call('HGET', d, 'conversion'), 'told'), 0, -1)
  local lead = told[1]
  local follows = state == 'dead' and code == with_lead and lead ~= id and call('HGET', key('d', lead), 'state') == 'pending'
  if follows then state, code, message, wait = 'pending', '', '', 0 end
  local at = wait ~= '' and now + wait
  if attempt ~= '' and call('RPUSH', attempts, attempt) > most then
    local first = call('LPOP', attempts)
    call('LPOP', attempts)
    call('LPUSH', attempts, first)
  end
  if attempt ~= '' or state ~= 'in_doubt' then call('HDEL', d, 'started') end
  if remote ~= '' then call('HSET', d, 'remote', remote) end
  if at then call('HSET', d, 'due', at) else call('HDEL', d, 'due') end
  finish(lane, id, token, 'settled')
  move(id, state, code, message)
  if follows then
    local came, behind, pivot = {}, false, nil
    for place, one in ipairs(told) do came[one] = place end
    local line = key('l', lane, 'line')
    for _, one in ipairs(call('LRANGE', line, 0, -1)) do
      if behind and not pivot and (came[one] or 0) > came[id] then pivot = one end
      behind = behind or one == lead
    end
    if pivot then call('LINSERT', line, 'BEFORE', pivot, id) else call('RPUSH', line, id) end
    pop(lane, account)
  elseif state == 'pending' then
    schedule(lane, account, id, at)
  elseif state == 'in_doubt' then
    hide(lane, account)
  else
    pop(lane, account)
  end
  return 1
end

