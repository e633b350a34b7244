-- How many lanes of an account are due, fresh and to be tried again, and when the next one is.
local fresh, retry = key('fresh', ARGV[3]), key('retry', ARGV[3])
return {call('ZCOUNT', fresh, '-inf', now), call('ZCOUNT', retry, '-inf', now), next_due(ARGV[3])}
