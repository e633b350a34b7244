-- Since when an account is paused, and why; nothing where it is not.
function steps.paused(account)
  local p = call('HMGET', key('pause', account), 'paused', 'since', 'code', 'message')
  if p[1] ~= '1' then return false end
  return {p[2], p[3], p[4]}
end
