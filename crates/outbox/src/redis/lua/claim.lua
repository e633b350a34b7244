-- Leases due lanes of an account: so many oldest fresh ones, newest fresh ones, and ones tried before.
-- Says when the next one is due, and of each lane its name, head and lease, and when an attempt began of which nobody
-- knows how it ended; the records of the head, of its conversion, and of the conversion's own delivery where it is
-- another. Of a lane that cannot be read it says the name alone, and takes it off the schedule, so that it stops no
-- other. Nothing where it is paused.
function steps.claim(account, pause_is_here, lease, oldest, newest, retries)
  if pause_is_here == '1' and is_paused(account) then return {} end
  local ends = now + lease
  local until_then = whole(ends)
  local said = {''}

  local function all(sort, ids)
    local names = {}
    for at, id in ipairs(ids) do names[at] = key(sort, id) end
    return call('MGET', unpack(names))
  end

  local function lease_some(set, names)
    local lanes, heads, of, due = {}, {}, {}, {}
    for at, text in ipairs(all('l', names)) do
      lanes[at] = lane_of(names[at], text and #text > LANE_IS and text)
      heads[at] = sub(lanes[at].line, 1, 16)
    end
    local deliveries = all('d', heads)
    -- A delivery's rest begins with its conversion's id; that one has its lead's behind two others
    -- and two numbers.
    for at, d in ipairs(deliveries) do of[at] = sub(d or '', MOVES_IS + 1, MOVES_IS + 16) end
    local conversions = all('c', of)
    local token = math.max(call('GET', only('lease')) or 0, now * 1000)
    ask('SET', only('lease'), whole(token + #names))
    for at, name in ipairs(names) do
      local l, head = lanes[at], heads[at]
      local d, c = deliveries[at], conversions[at] or ''
      if d then
        l.lease, l.ends = token + at, ends
        put_lane(l)
        due[#due + 1], due[#due + 2] = until_then, name
        local lead = sub(c, 41, 56)
        local stands = lead ~= '' and lead ~= head and get('d', lead) or ''
        local fence = name .. head .. struct.pack('<dd', l.lease, l.began)
        said[#said + 1], said[#said + 2], said[#said + 3], said[#said + 4] = fence, d, c, stands
      else
        place(set, name, false)
        said[#said + 1], said[#said + 2], said[#said + 3], said[#said + 4] = name, '', '', ''
      end
    end
    if #due > 0 then ask('ZADD', set, unpack(due)) end
  end

  -- A thousand at a time: Lua passes on no more than some thousands of arguments.
  local function take(class, most, range, from, to)
    local set = key(class, account)
    for left = tonumber(most), 1, -1000 do
      local names = ask(range, set, from, to, 'LIMIT', 0, math.min(left, 1000))
      if #names == 0 then return end
      lease_some(set, names)
    end
  end

  take('fresh', oldest, 'ZRANGEBYSCORE', '-inf', stamp)
  take('fresh', newest, 'ZREVRANGEBYSCORE', stamp, '-inf')
  take('retry', retries, 'ZRANGEBYSCORE', '-inf', stamp)
  said[1] = struct.pack('<d', earlier(next_of('fresh', account), next_of('retry', account)))
  return said
end
