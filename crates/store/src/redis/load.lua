-- Sessions with their subjects and their lanes' versions, as many as are wanted at once. KEYS: the versions of
-- their lanes, then the sessions. ARGV: how many lanes. Answers with what stands behind each key, then the
-- subjects of those sessions that are there.
local now = redis.call('MGET', unpack(KEYS))
local subjects = {}
for at = tonumber(ARGV[1]) + 1, #KEYS do
  local session = now[at]
  if session then
    local name = string.sub(session, 11, 10 + string.byte(session, 10))
    -- Both lie in one lane; what names the session is eighteen bytes long.
    subjects[#subjects + 1] = string.sub(KEYS[at], 1, -19) .. 'u:' .. name
  end
end
if #subjects > 0 then
  local at = #KEYS
  for one, subject in ipairs(redis.call('MGET', unpack(subjects))) do now[at + one] = subject end
end
return now
