-- How many lanes of an account are due, fresh and to be tried again.
-- Then since when the newest of the fresh ones is, and when the next one is due.
function steps.peek(account)
  local fresh, retry = next_of('fresh', account), next_of('retry', account)
  local function due(class, first)
    if not first or tonumber(first) > now then return 0 end
    return call('ZCOUNT', key(class, account), '-inf', now)
  end
  local many, newest = due('fresh', fresh), false
  if many > 0 then
    newest = call('ZRANGE', key('fresh', account), now, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, 1, 'WITHSCORES')[2]
  end
  return {many, due('retry', retry), newest, earlier(fresh, retry)}
end
