-- Sessions of another system, those of one lane, all or none. KEYS: version, index, moves, the subjects,
-- then the sessions. ARGV: the version seen, how many subjects; of each the moves seen and its row or
-- nothing; of each session the number of its subject, its name and its value.
local version, count = redis.call('GET', KEYS[1]), tonumber(ARGV[2])
if not version then return {'gone'} end
if is_newer(version, ARGV[1]) then return {'raced'} end
local subjects, came = {}, {}
for one = 1, count do
  subjects[one] = redis.call('GET', KEYS[3 + one])
  if moves_of(subjects[one]) ~= ARGV[1 + 2 * one] then return {'raced'} end
end
local new, at = {}, 3 + 2 * count
for key = 4 + count, #KEYS do
  if redis.call('EXISTS', KEYS[key]) == 0 then
    local one = tonumber(ARGV[at])
    redis.call('SET', KEYS[key], ARGV[at + 2])
    redis.call('ZADD', KEYS[2], 0, ARGV[at + 1])
    came[one] = (came[one] or '') .. ARGV[at + 1]
    new[#new + 1] = '1'
  else
    new[#new + 1] = '0'
  end
  at = at + 3
end
for one, names in pairs(came) do
  local subject, living, row = subjects[one], '', ARGV[2 + 2 * one]
  if subject then
    living = string.sub(subject, 11, 10 + 16 * struct.unpack('>I2', subject, 9))
    if row == '' then row = string.sub(subject, 11 + #living) end
  end
  living = living .. names
  local moves = struct.pack('>I8', redis.call('INCR', KEYS[3]))
  redis.call('SET', KEYS[3 + one], moves .. struct.pack('>I2', #living / 16) .. living .. row)
end
return {'done', table.concat(new)}
