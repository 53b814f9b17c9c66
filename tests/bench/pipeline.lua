-- For wrk: sends as many requests at once as its argument says, then waits for all the answers.
init = function(args) batch = string.rep(wrk.format("GET"), tonumber(args[1])) end
request = function() return batch end
