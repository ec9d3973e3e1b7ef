-- Appends entries of one lane's outbox to the log, each once, whoever brings them and how often.
-- KEYS: log, events. ARGV: the version of whoever moves, the lane, whether this is all that the outbox has
-- beyond the mark, the channel that wakes readers, then the entries.
local log = redis.call('HMGET', KEYS[1], 'version', 'head', 'mark' .. ARGV[2])
if not log[1] then return {'gone'} end
-- Numbers of one epoch say nothing in another.
if struct.unpack('>I4', log[1]) ~= struct.unpack('>I4', ARGV[1]) then return {'fenced', log[1]} end
local head, mark = tonumber(log[2]), tonumber(log[3] or '0')
if #ARGV < 5 then return {'done', log[2]} end
if struct.unpack('>I8', ARGV[5]) > mark + 1 and ARGV[3] ~= '1' then
  return {'gap', text(mark), log[2]}
end
local before = head
for at = 5, #ARGV do
  local number = struct.unpack('>I8', ARGV[at])
  if number > mark then
    head, mark = head + 1, number
    redis.call('XADD', KEYS[2], text(head) .. '-0', 'e', string.sub(ARGV[at], 9))
  end
end
if head > before then
  redis.call('HSET', KEYS[1], 'head', text(head), 'mark' .. ARGV[2], text(mark))
  redis.pcall('PUBLISH', ARGV[4], text(head))
end
return {'done', text(head)}
