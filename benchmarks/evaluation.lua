-- Each request asks one of 20 flags for one of 100,000 units, with the attributes that decide sent along.
local key = os.getenv("STRATA_KEY")
local countries = {"DE", "FR", "US", "GB"}
local plans = {"free", "pro", "team"}
local thread_number = 0

function setup(thread)
  thread_number = thread_number + 1
  thread:set("seed", thread_number)
end

function init(args)
  math.randomseed(seed)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Authorization"] = "Bearer " .. key
end

function request()
  local body = string.format(
    '{"context":{"targetingKey":"user-%d","country":"%s","plan":"%s","age":%d}}',
    math.random(100000), countries[math.random(4)], plans[math.random(3)], math.random(18, 90))
  return wrk.format("POST", "/ofrep/v1/evaluate/flags/flag-" .. math.random(0, 19), nil, body)
end

function done(summary, latency, requests)
  io.write(string.format(
    '\n{"requests": %d, "seconds": %.3f, "p50_ms": %.2f, "p95_ms": %.2f, "p99_ms": %.2f, "max_ms": %.2f, "not_2xx": %d, "socket_errors": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(95) / 1e3,
    latency:percentile(99) / 1e3, latency.max / 1e3, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
