-- Brings a lane to the log's version, and its numbers to where the log was told they are.
-- KEYS: version, end of the outbox. ARGV: the version, the log's mark.
local version = redis.call('GET', KEYS[1])
if version and not is_newer(ARGV[1], version) then return {'done', '0'} end
local last, mark, lost = tonumber(redis.call('GET', KEYS[2]) or '0'), tonumber(ARGV[2]), 0
if last < mark then
  lost = mark - last
  redis.call('SET', KEYS[2], ARGV[2])
end
redis.call('SET', KEYS[1], ARGV[1])
return {'done', text(lost)}
