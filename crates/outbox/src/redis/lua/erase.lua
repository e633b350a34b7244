-- Removes what identifies a person from the conversions of a lane or a user; how many had any.
function steps.erase(list, name)
  local touched = 0
  for _, id in ipairs(call('ZRANGE', key(list, name), 0, -1)) do
    local c = conversion(id)
    local had = c.customer .. c.person .. c.user ~= ''
    if c.user ~= '' then call('ZREM', key('user', c.user), id) end
    c.customer, c.person, c.user = '', '', ''
    if had then put_conversion(c) end
    for _, told in ipairs(each(c.told)) do
      local d = delivery(told)
      if d.fields ~= '' then
        had, d.fields = true, ''
        put_delivery(d)
      end
    end
    if had then touched = touched + 1 end
    keep()
  end
  return touched
end
