-- Runs the steps: of each a word that says which of KEYS is its base, how many arguments it has, and its name; and the
-- arguments. One that breaks off touches no other.
local function make(step, ...)
  local answer = step(...)
  write()
  return answer
end

local answers, at = {}, 5
while ARGV[at] do
  local word, last = ARGV[at], at + byte(ARGV[at], 2)
  turn_to(KEYS[byte(word)])
  forget()
  local done, answer = pcall(make, steps[sub(word, 3)], unpack(ARGV, at + 1, last))
  if not done then
    answer = type(answer) == 'table' and answer.err or tostring(answer)
  end
  answers[#answers + 1] = done and 1 or 0
  answers[#answers + 1] = answer or false
  at = last + 1
end
for base, feed in pairs(feeds) do
  local ids = {}
  for id in pairs(feed) do ids[#ids + 1] = id end
  call('ZADD', base .. ':changes', stamp, table.concat(ids))
end
return answers
