-- How many lanes of an account are due, fresh and to be tried again.
-- Then since when the newest of the fresh ones is, and when the next one is due.
function steps.peek(account)
  local fresh, retry = key('fresh', account), key('retry', account)
  local newest = call('ZRANGE', fresh, now, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, 1, 'WITHSCORES')[2] or false
  return {call('ZCOUNT', fresh, '-inf', now), call('ZCOUNT', retry, '-inf', now), newest, next_due(account)}
end

