-- Leases due lanes of an account: so many of the oldest fresh ones, of the newest, and of those to be tried again.
-- Says when the next one is due.
function steps.claim(account, lease, oldest, newest, retries)
  local ends = now + lease
  local claims = {}
  local function take(class, most, ...)
    if most == '0' then return end
    local lanes = key(class, account)
    for _, lane in ipairs(call('ZRANGE', lanes, ...)) do
      local l = lane_of(lane)
      local head = sub(l.line, 1, 16)
      local d = l.line ~= '' and call('GET', key('d', head))
      if d then
        l.lease, l.ends = call('INCR', key('lease')), ends
        call('ZADD', lanes, ends, lane)
        put_lane(l)
        -- Both begin with ids: a delivery with its conversion's; a conversion with two, and after four bytes its lead's.
        local c = call('GET', key('c', sub(d, 1, 16)))
        local lead = c and sub(c, 37, 52)
        table.insert(claims, {lane, l.lease, head, d, c, lead and lead ~= head and call('GET', key('d', lead))})
      else
        call('ZREM', lanes, lane)
      end
    end
  end
  take('fresh', oldest, '-inf', now, 'BYSCORE', 'LIMIT', 0, oldest)
  take('fresh', newest, now, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, newest)
  take('retry', retries, '-inf', now, 'BYSCORE', 'LIMIT', 0, retries)
  local fresh, retry = next_of('fresh', account), next_of('retry', account)
  return {claims, earlier(fresh, retry)}
end
