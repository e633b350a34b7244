-- When deliveries changed at or after a time, and which.
function steps.changed(since, many)
  return call('ZRANGE', key('changes'), since, '+inf', 'BYSCORE', 'LIMIT', 0, many, 'WITHSCORES')
end
