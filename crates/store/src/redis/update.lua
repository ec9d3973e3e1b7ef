-- The usual change: one session's row, nothing else. KEYS: version, subject, session, latest instant.
-- ARGV: the cut-offs' version, the subject's moves and the session's version that were seen; the value; the
-- latest instant or nothing.
local now = redis.call('MGET', KEYS[1], KEYS[2], KEYS[3])
local version, subject, session = now[1], now[2], now[3]
if not version then return {'gone'} end
if moves_of(subject) ~= ARGV[2] or not session or string.sub(session, 1, 8) ~= ARGV[3]
  or (version ~= ARGV[1] and is_newer(version, ARGV[1])) then
  return {'raced', version, session, subject}
end
redis.call('SET', KEYS[3], ARGV[4])
if ARGV[5] ~= '' then redis.call('SET', KEYS[4], ARGV[5]) end
return {'done', '0'}
