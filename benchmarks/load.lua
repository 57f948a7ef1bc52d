-- Requests for wrk: each posts the next line of a file with an id of its own, so that no answer is one that is stored already.
-- Arguments: file of bodies, prefix of the ids. Prints a line of JSON at the end.
local bodies, prefix, count = {}, "", 0

function init(arguments)
  for line in io.lines(arguments[1]) do bodies[#bodies + 1] = line end
  prefix = arguments[2]
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Authorization"] = "Bearer " .. arguments[3]
end

function request()
  count = count + 1
  local body = bodies[(count - 1) % #bodies + 1]:gsub("DEAL%-ID", prefix .. "-" .. count, 1)
  return wrk.format(nil, nil, nil, body)
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('{"requests": %d, "seconds": %f, "failed": %d, "p50_ms": %f, "p99_ms": %f}\n', summary.requests,
    summary.duration / 1e6, errors.status + errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
