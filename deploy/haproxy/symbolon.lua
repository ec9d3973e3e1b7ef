-- Asks Symbolon about a request, with HAProxy's own HTTP client: nothing else is to be installed.
-- In the configuration: `http-request lua.symbolon http://127.0.0.1:8620/gateway/check`.
--
-- It lets nobody pass by itself: it sets txn.symbolon to "passed", and the configuration denies whoever
-- comes without. So a mistake in this file, or a time that ran out, is a refusal.

local IDENTITY = {
  "x-symbolon-subject", "x-symbolon-session", "x-symbolon-client",
  "x-symbolon-scope", "x-symbolon-roles", "x-symbolon-token",
}

-- The values of a header as a list that begins at 1; HAProxy's begin at 0.
local function values(headers, name)
  local list = {}
  for _, value in pairs(headers[name] or {}) do
    list[#list + 1] = value
  end
  return list
end

-- What a check hands back where a rule has `renews = true`.
local BACK = {
  ["x-access-token"] = "txn.symbolon_access", ["x-refresh-token"] = "txn.symbolon_refresh",
  ["set-cookie"] = "txn.symbolon_cookie",
}

local function answer(txn, response)
  local reply = txn:reply({ status = response.status })
  for _, name in ipairs({ "www-authenticate", "dpop-nonce", "location", "content-type", "x-request-id", "retry-after" }) do
    for _, value in ipairs(values(response.headers, name)) do
      reply:add_header(name, value)
    end
  end
  reply:add_header("cache-control", "no-store")
  reply:set_body(response.body or "")
  txn:done(reply)
end

core.register_action("symbolon", { "http-req" }, function(txn, url)
  local sent = txn.http:req_get_headers()
  local asking = {
    ["x-forwarded-method"] = { txn.sf:method() },
    ["x-forwarded-uri"] = { txn.sf:pathq() },
    ["x-forwarded-for"] = { txn.sf:src() },
    ["x-forwarded-proto"] = { txn.sf:ssl_fc() == "1" and "https" or "http" },
  }
  -- The proof of a bound token (DPoP) names the whole URL.
  local host = values(sent, "host")
  if #host > 0 then asking["x-forwarded-host"] = host end
  -- A session's cookie, and what tells whether the page meant the request: a WebSocket is opened by a GET.
  for _, name in ipairs({
    "authorization", "dpop", "cookie", "accept", "sec-fetch-mode", "sec-fetch-site", "origin",
    "sec-websocket-key", "sec-websocket-version", "x-refresh-token",
  }) do
    local own = values(sent, name)
    if #own > 0 then asking[name] = own end
  end
  local csrf = txn:get_var("txn.csrf")
  if csrf then asking["x-symbolon-csrf"] = { csrf } end
  local features = txn:get_var("txn.features")
  if features then asking["x-symbolon-features"] = { features } end
  local response = core.httpclient():get({ url = url, headers = asking, timeout = 5000 })
  if not response or response.status == 0 then return end
  if response.status ~= 200 then return answer(txn, response) end
  for _, name in ipairs(IDENTITY) do
    local said = values(response.headers, name)
    if #said == 1 then txn.http:req_set_header(name, said[1]) end
  end
  for name, variable in pairs(BACK) do
    local said = values(response.headers, name)
    if #said == 1 then txn:set_var(variable, said[1]) end
  end
  txn:set_var("txn.symbolon", "passed")
end, 1)
