-- Leases due lanes of an account: so many oldest fresh ones, newest fresh ones, and ones tried before.
-- Says when the next one is due.
function steps.claim(account, lease, oldest, newest, retries)
  local ends = now + lease
  local until_then = string.format('%.0f', ends)
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
        call('ZADD', lanes, until_then, lane)
        put_lane(l)
        -- A delivery begins with its conversion's id; that one has its lead's behind two others and a number.
        local c = call('GET', key('c', sub(d, 1, 16)))
        local lead = c and sub(c, 37, 52)
        local stands = lead and lead ~= head and call('GET', key('d', lead))
        table.insert(claims, {lane, l.lease, head, d, c, stands})
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
