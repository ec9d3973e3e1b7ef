-- The entries of a lane's outbox after a mark. KEYS: outbox, its end. ARGV: the mark, how many at most.
local last, length = tonumber(redis.call('GET', KEYS[2]) or '0'), redis.call('LLEN', KEYS[1])
local from = length - (last - tonumber(ARGV[1]))
if length > 0 then
  -- Where a lane's end was raised above a mark, numbers are missing before it: the entries say theirs.
  if from < 0 then from = 0 end
  local entries = redis.call('LRANGE', KEYS[1], from, from + tonumber(ARGV[2]) - 1)
  return {'done', text(last), entries}
end
return {'done', text(last), {}}
