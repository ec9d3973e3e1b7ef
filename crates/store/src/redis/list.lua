-- Sessions of a lane in the order of their names, each with its subject. KEYS: version, index.
-- ARGV: after which, up to which, how many; what sessions' and subjects' keys begin with.
local answer = {redis.call('GET', KEYS[1])}
local sids = redis.call('ZRANGEBYLEX', KEYS[2], '(' .. ARGV[1], '[' .. ARGV[2], 'LIMIT', 0, ARGV[3])
for _, sid in ipairs(sids) do
  local session = redis.call('GET', ARGV[4] .. sid)
  if session then
    local subject = string.sub(session, 11, 10 + string.byte(session, 10))
    answer[#answer + 1] = sid
    answer[#answer + 1] = session
    answer[#answer + 1] = redis.call('GET', ARGV[5] .. subject)
  end
end
return answer
