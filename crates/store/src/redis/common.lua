-- Before every script. A version is eight bytes: the store epoch, then how often the cut-offs changed in
-- it, both big-endian. Whole scripts check everything first and write last, since nothing is undone.
local function is_newer(one, other)
  local a, b = struct.unpack('>I4', one), struct.unpack('>I4', other)
  if a ~= b then return a > b end
  return struct.unpack('>I4', one, 5) > struct.unpack('>I4', other, 5)
end
-- Whole numbers as text: what Lua does by itself is wrong beyond fourteen digits.
local function text(number) return string.format('%.0f', number) end
-- A subject: its moves (8 bytes), how many living sessions (2), their names (16 each), its row if any.
local UNMOVED = string.rep('\0', 8)
local function moves_of(subject) return subject and string.sub(subject, 1, 8) or UNMOVED end
