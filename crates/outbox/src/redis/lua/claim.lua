-- Leases due lanes of an account: so many of the oldest fresh ones, of the newest, and of those to be tried again.
-- Says when the next one is due.
function steps.claim(account, lease, oldest, newest, retries)
  local ends = now + lease
  local function from_oldest(lanes, most)
    return call('ZRANGE', lanes, '-inf', now, 'BYSCORE', 'LIMIT', 0, most)
  end
  local function from_newest(lanes, most)
    return call('ZRANGE', lanes, now, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, most)
  end
  local claims = {}
  for _, share in ipairs({{'fresh', from_oldest, oldest}, {'fresh', from_newest, newest}, {'retry', from_oldest, retries}}) do
    local lanes = key(share[1], account)
    for _, lane in ipairs(share[2](lanes, share[3])) do
      local head = call('LINDEX', key('l', lane, 'line'), 0)
      local conversion = head and call('HGET', key('d', head), 'conversion')
      if conversion then
        local token = call('INCR', key('lease'))
        call('ZADD', lanes, ends, lane)
        call('HSET', key('l', lane), 'lease', token, 'ends', ends)
        local lead = call('LINDEX', key('c', conversion, 'told'), 0)
        local stands = call('HMGET', key('d', lead), 'state', 'code', 'message')
        table.insert(claims, {lane, token, whole(head), record(conversion), stands})
      else
        call('ZREM', lanes, lane)
      end
    end
  end
  return {claims, next_due(account)}
end

