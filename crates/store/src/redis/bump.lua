-- Compares and sets the cut-offs, with their events. KEYS: log, events, cut-offs.
-- ARGV: the version seen, the next one or nothing, the cut-offs, the channel that wakes readers, then the
-- events.
local log = redis.call('HMGET', KEYS[1], 'version', 'head')
if not log[1] then return {'gone'} end
if log[1] ~= ARGV[1] then return {'raced', log[1]} end
local head = tonumber(log[2])
for at = 5, #ARGV do
  head = head + 1
  redis.call('XADD', KEYS[2], text(head) .. '-0', 'e', ARGV[at])
end
if ARGV[2] ~= '' then
  redis.call('SET', KEYS[3], ARGV[3])
  redis.call('HSET', KEYS[1], 'version', ARGV[2])
end
redis.call('HSET', KEYS[1], 'head', text(head))
redis.pcall('PUBLISH', ARGV[4], text(head))
return {'done', text(head)}
