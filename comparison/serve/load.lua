-- What wrk sends: one sample of W4's net, of 784 numbers as they are in images. WRAP=1 gives it the form of app.py.
math.randomseed(42)
local numbers = {}
for i = 1, 784 do
  local dark = math.random() < 0.5
  numbers[i] = dark and "0" or string.format("%.4f", math.random(0, 255) / 255)
end
local list = "[" .. table.concat(numbers, ",") .. "]"
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = os.getenv("WRAP") and ('{"x":' .. list .. "}") or list

local threads = {}
function setup(thread) table.insert(threads, thread) end
function init() statuses = {} end
function response(status) statuses[status] = (statuses[status] or 0) + 1 end
function done(summary, latency)
  local all = {}
  for _, thread in ipairs(threads) do
    for status, count in pairs(thread:get("statuses")) do all[status] = (all[status] or 0) + count end
  end
  for status, count in pairs(all) do print(string.format("status %d: %d", status, count)) end
  local at = function(p) return latency:percentile(p) / 1000 end
  print(string.format("median %.2f ms, p99 %.2f ms, most %.2f ms, p99 / median %.1f", at(50), at(99), latency.max / 1000, at(99) / at(50)))
  print(string.format("errors: connect %d, read %d, write %d, timeout %d", summary.errors.connect, summary.errors.read, summary.errors.write, summary.errors.timeout))
  print(string.format("requests per second: %.0f", summary.requests / summary.duration * 1e6))
end
