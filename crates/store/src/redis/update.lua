-- The usual changes, each of one session's row and nothing else, each done or not for itself; no two of one
-- session. KEYS: the versions of their lanes; then of each the subject and the session; then the latest instant.
-- ARGV: how many lanes; the latest instant or nothing; then of each what was seen (one byte: which lane; the
-- cut-offs' version, the subject's moves and the session's version), and the value.
-- Answers of each with 1, or with what is there now.
local lanes, latest = tonumber(ARGV[1]), #KEYS
local now = redis.call('MGET', unpack(KEYS, 1, latest - 1))
local answer, puts, at = {}, {}, 3
for key = lanes + 1, latest - 1, 2 do
  local seen, subject, session = ARGV[at], now[key], now[key + 1]
  local version = now[string.byte(seen)]
  if not version then return {'gone'} end
  local rows = moves_of(subject) .. (session and string.sub(session, 1, 8) or '')
  if string.sub(seen, 10) == rows
    and (string.sub(seen, 2, 9) == version or not is_newer(version, string.sub(seen, 2, 9))) then
    puts[#puts + 1] = KEYS[key + 1]
    puts[#puts + 1] = ARGV[at + 1]
    answer[#answer + 1] = 1
  else
    answer[#answer + 1] = {version, session, subject}
  end
  at = at + 2
end
if #puts > 0 then
  if ARGV[2] ~= '' then
    puts[#puts + 1] = KEYS[latest]
    puts[#puts + 1] = ARGV[2]
  end
  redis.call('MSET', unpack(puts))
end
return answer
