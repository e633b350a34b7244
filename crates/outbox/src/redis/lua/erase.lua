-- Removes what identifies a person from the conversions of a lane or a user; how many had any.
function steps.erase(list, name)
  local touched = 0
  local ids = list == 'lane' and each(conversions_of(name)) or call('ZRANGE', key(list, name), 0, -1)
  for _, id in ipairs(ids) do
    local c = conversion(id)
    local had = c.customer .. c.person .. c.user ~= ''
    if c.user ~= '' then place(key('user', c.user), id, false) end
    c.customer, c.person, c.user = '', '', ''
    if had then put_conversion(c) end
    for _, told in ipairs(each(c.told)) do
      local d = read(delivery(told))
      if d.fields ~= '' then
        had, d.fields = true, ''
        put_delivery(d)
      end
    end
    if had then touched = touched + 1 end
  end
  return touched
end
