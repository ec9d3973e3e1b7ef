-- Compares and sets all rows of a change, with its events, in one lane.
-- KEYS: version, outbox, its end, index, moves, latest instant, subject, then the sessions.
-- ARGV: the version and the subject's moves that were seen; whether it moves the subject; whether its row
-- is replaced, and by what; the latest instant or nothing; how many events, and these; then of each
-- session what is done ([c]reate, [u]pdate, [e]nd, [f]orget), its name, the version seen, the value.
local version = redis.call('GET', KEYS[1])
if not version then return {'gone'} end
local subject = redis.call('GET', KEYS[7])
local events = tonumber(ARGV[7])
local rows, same = {}, moves_of(subject) == ARGV[2]
if version ~= ARGV[1] and is_newer(version, ARGV[1]) then same = false end
local at = 8 + events
for key = 8, #KEYS do
  local row = redis.call('GET', KEYS[key])
  rows[key] = row
  if ARGV[at] == 'c' then
    same = same and not row
  else
    same = same and row and string.sub(row, 1, 8) == ARGV[at + 2]
  end
  at = at + 4
end
if not same then return {'raced', version, KEYS[8] and rows[8] or false, subject} end

local living = subject and string.sub(subject, 11, 10 + 16 * struct.unpack('>I2', subject, 9)) or ''
local was = living
-- Without the name, which stands at a multiple of sixteen.
local function without(names, sid)
  for place = 1, #names, 16 do
    if string.sub(names, place, place + 15) == sid then
      return string.sub(names, 1, place - 1) .. string.sub(names, place + 16)
    end
  end
  return names
end
at = 8 + events
for key = 8, #KEYS do
  local what, sid = ARGV[at], ARGV[at + 1]
  if what == 'f' then
    redis.call('DEL', KEYS[key])
    redis.call('ZREM', KEYS[4], sid)
    living = without(living, sid)
  else
    redis.call('SET', KEYS[key], ARGV[at + 3])
    if what == 'c' then
      redis.call('ZADD', KEYS[4], 0, sid)
      living = living .. sid
    elseif what == 'e' then
      living = without(living, sid)
    end
  end
  at = at + 4
end
if ARGV[3] == '1' or ARGV[4] == '1' or living ~= was then
  local row = ARGV[5]
  if ARGV[4] ~= '1' then row = subject and string.sub(subject, 11 + #was) or '' end
  if living == '' and row == '' then
    redis.call('DEL', KEYS[7])
  else
    local moves = moves_of(subject)
    -- Counted for the whole lane, so that a subject that left and came back has no number twice.
    if ARGV[3] == '1' then moves = struct.pack('>I8', redis.call('INCR', KEYS[5])) end
    redis.call('SET', KEYS[7], moves .. struct.pack('>I2', #living / 16) .. living .. row)
  end
end
if ARGV[6] ~= '' then redis.call('SET', KEYS[6], ARGV[6]) end
local last = 0
if events > 0 then
  last = redis.call('INCRBY', KEYS[3], events)
  for event = 1, events do
    redis.call('RPUSH', KEYS[2], struct.pack('>I8', last - events + event) .. ARGV[7 + event])
  end
end
return {'done', text(last)}
