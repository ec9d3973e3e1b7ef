-- A session with its subject and the lane's version.
-- KEYS: version, session. ARGV: what subjects' keys begin with.
local version, session = redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])
if not session then return {version} end
local subject = string.sub(session, 11, 10 + string.byte(session, 10))
return {version, session, redis.call('GET', ARGV[1] .. subject)}
