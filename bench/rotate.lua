-- Sends each line of a file in turn: a credential, a tab, a JSON body; either may be empty.
-- Arguments: method, path, file. Prints one line of JSON in the end.
local requests, turn = {}, 0

function init(arguments)
   for line in io.lines(arguments[3]) do
      local credential, body = line:match("^([^\t]*)\t(.*)$")
      local headers = {}
      if credential ~= "" then headers["Authorization"] = "Bearer " .. credential end
      if body ~= "" then headers["Content-Type"] = "application/json" else body = nil end
      requests[#requests + 1] = wrk.format(arguments[1], arguments[2], headers, body)
   end
end

function request()
   turn = turn % #requests + 1
   return requests[turn]
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '{"requests": %d, "seconds": %.6f, "refused": %d, "broken": %d, "p50": %.6f, "p99": %.6f}\n',
      summary.requests, summary.duration / 1e6, errors.status,
      errors.connect + errors.read + errors.write + errors.timeout,
      latency:percentile(50) / 1e6, latency:percentile(99) / 1e6))
end
