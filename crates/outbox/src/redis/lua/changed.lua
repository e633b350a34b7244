-- When deliveries changed at or after a time, and which.
return call('ZRANGE', key('changes'), ARGV[3], '+inf', 'BYSCORE', 'LIMIT', 0, ARGV[4], 'WITHSCORES')
