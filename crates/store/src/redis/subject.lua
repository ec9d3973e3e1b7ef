-- A subject and its sessions. KEYS: version, subject, index.
-- ARGV: what sessions' keys begin with; then, for ended ones too: the first and the last name of its
-- shard, and its name.
local answer = {redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])}
local function give(sid)
  local session = redis.call('GET', ARGV[1] .. sid)
  if not session then return end
  if ARGV[4] and string.sub(session, 11, 10 + string.byte(session, 10)) ~= ARGV[4] then return end
  answer[#answer + 1] = sid
  answer[#answer + 1] = session
end
if ARGV[2] then
  for _, sid in ipairs(redis.call('ZRANGEBYLEX', KEYS[3], '[' .. ARGV[2], '[' .. ARGV[3])) do give(sid) end
elseif answer[2] then
  for at = 0, struct.unpack('>I2', answer[2], 9) - 1 do
    give(string.sub(answer[2], 11 + 16 * at, 26 + 16 * at))
  end
end
return answer
