-- Pauses an account, or lets it go on; whether that changed anything.
function steps.pause(this, account, pause, code, message)
  local p = key('pause', account)
  local was = call('HMGET', p, 'paused', 'call')
  if was[2] == this then return 1 end
  if (was[1] or '0') == pause then return 0 end
  call('HSET', p, 'paused', pause, 'call', this, 'since', now, 'code', code, 'message', message)
  return 1
end
