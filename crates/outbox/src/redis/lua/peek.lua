-- What is due of an account in some partitions; nothing where it is paused.
-- Of each partition how many lanes are fresh, how many are to be tried again, since when the newest of the
-- fresh ones is, and when the next one is due; 0 is no time.
function steps.peek(account, pause_is_here, first, last)
  if pause_is_here == '1' and is_paused(account) then return '' end
  local said = {}
  for number = first, last do
    turn_to(base_of(number))
    local fresh, retry = next_of('fresh', account), next_of('retry', account)
    local function due(class, next)
      if next == 0 or next > now then return 0 end
      return call('ZCOUNT', key(class, account), '-inf', stamp)
    end
    local many, newest = due('fresh', fresh), 0
    if many > 0 then
      newest = call('ZREVRANGEBYSCORE', key('fresh', account), stamp, '-inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
    end
    said[#said + 1] = struct.pack('<I4I4dd', many, due('retry', retry), newest, earlier(fresh, retry))
  end
  return table.concat(said)
end
