-- Leases due lanes of an account: so many oldest fresh ones, newest fresh ones, and ones tried before.
-- Says when the next one is due, and of each lane its name, head and lease, and the records of the head, of
-- its conversion, and of the conversion's own delivery where it is another; nothing where it is paused.
function steps.claim(account, pause_is_here, lease, oldest, newest, retries)
  if pause_is_here == '1' and is_paused(account) then return {} end
  local ends = now + lease
  local until_then = string.format('%.0f', ends)
  local said = {''}

  local function lease_some(schedule, names)
    local lanes, heads, of, due = all('l', names), {}, {}, {}
    for at, name in ipairs(names) do
      lanes[at] = lane_of(name, lanes[at])
      heads[at] = sub(lanes[at].line, 1, 16)
    end
    local deliveries = all('d', heads)
    -- A delivery begins with its conversion's id; that one has its lead's behind two others and
    -- two numbers.
    for at, d in ipairs(deliveries) do of[at] = d and sub(d, 1, 16) or '' end
    local conversions = all('c', of)
    local before = call('INCRBY', key('lease'), #names) - #names
    for at, name in ipairs(names) do
      local l, d, c = lanes[at], deliveries[at], conversions[at] or ''
      if d then
        l.lease, l.ends = before + at, ends
        put_lane(l)
        due[#due + 1], due[#due + 2] = until_then, name
        local lead = sub(c, 41, 56)
        local stands = lead ~= '' and lead ~= heads[at] and call('GET', key('d', lead)) or ''
        local fence = name .. heads[at] .. struct.pack('<d', l.lease)
        said[#said + 1], said[#said + 2], said[#said + 3], said[#said + 4] = fence, d, c, stands
      else
        call('ZREM', schedule, name)
      end
    end
    if #due > 0 then call('ZADD', schedule, unpack(due)) end
    keep()
  end

  -- A thousand at a time: Lua passes on no more than some thousands of arguments.
  local function take(class, most, range, from, to)
    for left = tonumber(most), 1, -1000 do
      local names = call(range, key(class, account), from, to, 'LIMIT', 0, math.min(left, 1000))
      if #names == 0 then return end
      lease_some(key(class, account), names)
    end
  end

  take('fresh', oldest, 'ZRANGEBYSCORE', '-inf', stamp)
  take('fresh', newest, 'ZREVRANGEBYSCORE', stamp, '-inf')
  take('retry', retries, 'ZRANGEBYSCORE', '-inf', stamp)
  local next_due = earlier(next_of('fresh', account), next_of('retry', account))
  said[1] = struct.pack('<d', next_due)
  return said
end
