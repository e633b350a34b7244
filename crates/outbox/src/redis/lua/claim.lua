-- Leases due lanes of an account: so many of the oldest fresh ones, of the newest, and of those to be tried again.
-- Says when the next one is due.
local account, ends = ARGV[3], now + ARGV[4]
local function oldest(lanes, most)
  return call('ZRANGE', lanes, '-inf', now, 'BYSCORE', 'LIMIT', 0, most)
end
local function newest(lanes, most)
  return call('ZRANGE', lanes, now, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, most)
end
local claims = {}
for place, share in ipairs({{'fresh', oldest}, {'fresh', newest}, {'retry', oldest}}) do
  local lanes = key(share[1], account)
  for _, lane in ipairs(share[2](lanes, ARGV[4 + place])) do
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
