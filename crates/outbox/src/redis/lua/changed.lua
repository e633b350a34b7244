-- When deliveries changed at or after a time, and which; nothing from before the feed's own time.
function steps.changed(since, many, kept)
  since = string.format('%.0f', math.max(since, now - kept + 1))
  return call('ZRANGE', key('changes'), since, '+inf', 'BYSCORE', 'LIMIT', 0, many, 'WITHSCORES')
end
