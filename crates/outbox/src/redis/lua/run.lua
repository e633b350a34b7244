-- Runs the steps: of each its name, which of KEYS is its base, how many arguments it has, and these. One that
-- breaks off touches no other.
local answers, at = {}, 2
while ARGV[at] do
  local last = at + 2 + ARGV[at + 2]
  base, puts = KEYS[tonumber(ARGV[at + 1])], {}
  local done, answer = pcall(steps[ARGV[at]], unpack(ARGV, at + 3, last))
  if not done then answer = type(answer) == 'table' and answer.err or tostring(answer) end
  answers[#answers + 1] = done and 1 or 0
  answers[#answers + 1] = answer or false
  at = last + 1
end
return answers
