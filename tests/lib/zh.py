"""The Chinese for what programs say (words.py)."""

WORDS = {
    # tests/demo/demo.py
    "One conversation, played against four event loops:": "同一段对话，四种事件循环各跑一遍：",
    "Not what the conversation expects:": "与这段对话应有的结果不符：",
    "All four answered byte for byte the same: {count} bytes each, the Date header aside.":
        "四个版本的响应逐字节相同：各 {count} 字节（Date 首部除外）。",
    "Next:": "接下来：",
    "run a stage:": "运行一个阶段：",
    "talk to it, from another terminal:": "在另一个终端里连上它：",
    "see what the next stage changes:": "看看下一阶段改变了什么：",
    # tests/site/make_site.py: the four stages side by side
    "Side by side": "逐个对照",
    "Every function of the four `server.cc`, in the order of the file. A stage chosen in one row "
    "of tabs is chosen in all of them.":
        "四个 `server.cc` 的全部函数，按文件里的顺序。在一排标签里选定一个阶段，其他各排也随之选定。",
    "Header and includes": "文件头和 #include",
    "Only in {stage}.": "只在 {stage} 里有。",
    "Equal to the letter: {stages}.": "一字不差：{stages}。",
    "Different in each.": "各不相同。",
    "Not in {stages}.": "{stages} 里没有。",
    # tests/report/report.py
    "differs": "不同",
    "expected": "应当是",
    "got": "实际是",
    "The first difference of each": "各自的第一处不同",
    "The four stages answer every conversation byte for byte the same, the Date aside.":
        "四个阶段对每段对话的响应逐字节相同（Date 除外）。",
    "Not identical.": "并不相同。",
    "evhttp is libevent's own HTTP server: where it differs, it is known to.":
        "evhttp 是 libevent 自带的 HTTP 服务器：它在哪些地方不同，都是已知的。",
    "conversation": "对话",
    "{number} calls per request": "每个请求 {number} 次调用",
    "<code>GET /hello</code>, 64 kept-alive connections, one request in flight on each, one "
    "thread on one core. A <em>floor</em> uses the same loop but sends one canned answer and "
    "parses nothing. Rounds: {count}; these are their medians. Whatever else ran on the machine "
    "is in the numbers; a ratio compares runs of the same round.":
        "<code>GET /hello</code>，64 "
        "个长连接，每个连接上同时只有一个请求，一个线程，一个核。<em>floor</em>（下限）用同样的循环，但什么也不解析，只发送固定的响应。共测 {count} "
        "轮，表中是中位数。机器上同时运行的其他程序也会影响结果；比值只在同一轮之内计算。",
    "server": "服务器",
    "system<br>calls": "系统<br>调用",
    "instructions<br>(user space)": "指令数<br>（用户态）",
    "cache lines<br>of code": "代码占的<br>缓存行",
    "CPU<br>µs": "CPU 时间<br>µs",
    "of that<br>user": "其中<br>用户态",
    "of that<br>kernel": "其中<br>内核态",
    "CPU ×<br>its floor": "CPU 时间<br>÷ 下限",
    "CPU ×<br>nginx": "CPU 时间<br>÷ nginx",
    "requests<br>per second": "每秒<br>请求数",
    "median<br>µs": "中位数<br>µs",
    "p99<br>µs": "第 99 百分位<br>µs",
    "bytes per idle<br>connection": "每个空闲连接<br>占用的字节",
    "Small faults that were put into the code one at a time. A test notices (killed) or none does "
    "(survived); of an equivalent one nobody could notice anything.":
        "每次往代码里放进一个小错误。有测试察觉（杀死），或者没有（存活）；等价的变异体，谁也察觉不到。",
    "Not asked here: <code>make mutants</code>.": "这里还没有运行过 <code>make mutants</code>。",
    "file": "文件",
    "made": "总数",
    "killed": "杀死",
    "survived": "存活",
    "equivalent": "等价",
    "killed of those<br>not equivalent": "杀死的比例<br>（不计等价）",
    "1 connection": "1 个连接",
    "64 connections": "64 个连接",
    "512 connections": "512 个连接",
    "5,000 connections": "5000 个连接",
    "64 connections, 16 requests deep": "64 个连接，流水线深度 16",
    "CPU per request, {where}": "每个请求的 CPU 时间，{where}",
    "Throughput, {where}": "吞吐量，{where}",
    "Latency, {where}": "延迟，{where}",
    "kernel": "内核态",
    "program": "用户态",
    "microseconds": "微秒",
    "thousand requests per second": "千个请求每秒",
    "median": "中位数",
    "99th percentile": "第 99 百分位",
    "milliseconds": "毫秒",
    "Instructions per request, user space": "每个请求的指令数，用户态",
    "instructions": "条指令",
    "Cache lines of code that a request touches": "每个请求碰到的代码缓存行",
    "cache lines of 64 bytes": "个 64 字节的缓存行",
    "Memory per idle connection": "每个空闲连接的内存",
    "bytes": "字节",
    "CPU per request as connections grow": "连接数增加时，每个请求的 CPU 时间",
    "connections": "连接数",
    "processor": "处理器",
    "system": "操作系统",
    "compiler": "编译器",
    "source": "源码",
    "measured": "测量时间",
    "load before (above 1, something else ran)": "测量前的负载（大于 1 表示有别的程序在运行）",
    "libevent": "libevent 版本",
    "nginx": "nginx 版本",

    # tests/compare/calls.py: what a system call is for
    "the kernel interrupts what it does": "内核打断正在做的事",
    "the process ends": "进程结束",
    "asks how many bytes wait on {who}": "询问 {who} 上有多少字节可读",
    "sleeps until a timer is due": "阻塞，直到有定时器到期",
    "looks whether anything is ready: no": "查看有没有就绪的：没有",
    "is woken by a signal": "被信号唤醒",
    "wakes up: {events}": "被唤醒：{events}",
    "{who} has an error": "{who} 出错",
    "{who} has a client waiting": "{who} 有客户端在等待接受",
    "{who} is readable": "{who} 可读",
    "{who} is writable": "{who} 可写",
    "{who} was hung up": "{who} 已挂断",
    "readable": "可读",
    "writable": "可写",
    "readable or writable": "可读或可写",
    "hangs {who} on the tree, to be told when it is {wish}": "把 {who} 挂到树上，关注{wish}",
    "from now on: tell when {who} is {wish}": "从现在起关注 {who} {wish}",
    "takes {who} off the tree": "把 {who} 从树上摘下",
    "nothing there": "没有数据",
    "the kernel's buffer is full": "内核的缓冲区满了",
    "the client has reset the connection": "客户端已复位连接",
    "an error": "出错",
    "tries to read from {who}: {why}": "试着读 {who}：{why}",
    "tries to write to {who}: {why}": "试着写 {who}：{why}",
    "reads what {who} holds": "读出 {who} 里的内容",
    "writes into {who}, to wake the loop": "写入 {who}，唤醒循环",
    "{who} has ended its side": "{who} 不再发送",
    "1 byte": "1 字节",
    "{count} bytes": "{count} 字节",
    "reads {count} from {who}": "从 {who} 读到 {count}",
    "sends {count} to {who}": "向 {who} 发送 {count}",
    "nobody else is waiting": "没有别的客户端在等",
    "no descriptor is left for the next client": "没有描述符留给下一个客户端",
    "takes the next client: {who}": "接受下一个客户端：{who}",
    "closes {who}": "关闭 {who}",
    "tells {who} that nothing more will come": "告诉 {who}：不会再发送了",
    "sets an option of {who}": "设置 {who} 的选项",
    "sets a flag of {who}": "设置 {who} 的标志",
    "asks for the address of {who}": "询问 {who} 的地址",
    "… the line above, {how_often}": "……上面一行，{how_often}",
    "… the {count} lines above, {how_often}": "……上面 {count} 行，{how_often}",
    "and again": "不断重复",
    "{times} times in all": "共 {times} 次",
    "{text}, many times": "{text}，许多次",
}

# What is told in one piece: by another process, in an exception or in a file. Of two that fit, the
# first one counts. {who} is one word; what stands for {what}, {how}, {why}, {more} and {title} is
# in here, too, or stays as it is.
FINISHED = {
    # tests/lab/one.py: what was wrong with a server
    "step {number}: {title} ({source}, {lines} lines)":
        "第 {number} 步：{title}（{source}，{lines} 行）",
    "step {number}: {what}": "第 {number} 步：{what}",
    "{who} got 1 byte after {seconds} s: {allowed} s are allowed":
        "{who} 在 {seconds} 秒后才收到 1 字节：最多允许 {allowed} 秒",
    "{who} got {got} of {count} bytes after {seconds} s: {allowed} s are allowed":
        "{who} 在 {seconds} 秒后只收到 {count} 字节中的 {got} 字节：最多允许 {allowed} 秒",
    "{who} got {count} bytes after {seconds} s: {allowed} s are allowed":
        "{who} 在 {seconds} 秒后才收到 {count} 字节：最多允许 {allowed} 秒",
    "{who} gets nothing: {how}": "{who} 什么也没收到：{how}",
    "{who} gets nothing within {seconds} s": "{who} 在 {seconds} 秒内什么也没收到",
    "the last 1 byte of {all} are lost: {how}": "{all} 字节中的最后 1 字节丢失：{how}",
    "the last {count} bytes of {all} are lost: {how}": "{all} 字节中的最后 {count} 字节丢失：{how}",
    "nothing more comes within {seconds} s": "{seconds} 秒内再也没有数据来",
    "the server ends its connection": "服务器结束了它的连接",
    "the server closes its connection": "服务器关闭了它的连接",
    "the server resets its connection": "服务器复位了它的连接",
    "the server resets {who}'s connection": "服务器复位了 {who} 的连接",
    "1 byte of {all} is lost, at offset {at}": "{all} 字节中丢失 1 字节，位于偏移量 {at}",
    "{count} bytes of {all} are lost, at offset {at}":
        "{all} 字节中丢失 {count} 字节，位于偏移量 {at}",
    "bytes are lost at offset {at}: what {who} gets there comes later":
        "偏移量 {at} 处丢失字节：{who} 在那里收到的是后面的内容",
    "{who} gets 1 byte too many, at offset {at}": "{who} 多收到 1 字节，位于偏移量 {at}",
    "{who} gets {count} bytes too many, at offset {at}":
        "{who} 多收到 {count} 字节，位于偏移量 {at}",
    "byte {at} of {all} is wrong: {got} in place of {expected}":
        "{all} 字节中的第 {at} 个字节不对：应是 {expected}，却是 {got}",
    "{who} cannot connect: {why}": "{who} 连接不上：{why}",
    "{who} should hear nothing: it gets 1 byte": "{who} 不应收到任何数据，却收到 1 字节",
    "{who} should hear nothing: it gets {count} bytes":
        "{who} 不应收到任何数据，却收到 {count} 字节",
    "{who} should hear nothing: {how}": "{who} 不应收到任何数据：{how}",
    "{who} is still connected after {seconds} s: the server does not close it":
        "{seconds} 秒后 {who} 仍然连着：服务器没有关闭它",
    "{who} gets 1 byte in place of the end": "{who} 没有看到连接结束，却收到 1 字节",
    "{who} gets {count} bytes in place of the end": "{who} 没有看到连接结束，却收到 {count} 字节",
    "{who} still waits in the accept queue after {seconds} s":
        "{seconds} 秒后 {who} 仍在全连接队列里等待",
    "descriptors leak: the server holds the sockets of 1 client, and should hold {count}":
        "描述符泄漏：服务器持有 1 个客户端的套接字，应当是 {count} 个",
    "descriptors leak: the server holds the sockets of {held} clients, and should hold "
    "{count}":
        "描述符泄漏：服务器持有 {held} 个客户端的套接字，应当是 {count} 个",
    "it spins: there is nothing to do, and it does not sleep": "空转：没有事情可做，它却没有阻塞",
    "and then none: it loops inside the process (look: gdb -p; of libevent's events "
    "--libevent-debug tells more)":
        "此后一次调用也没有：它在进程内部循环（用 gdb -p 查看；libevent 的事件可用 --libevent-debug 查看）",
    "it spins: {seconds} s after this step it still does not sleep (or it is much too slow)":
        "空转：这一步过后 {seconds} 秒，它还没有阻塞（或者慢得太多）",
    "it does not end: {seconds} s after the signal it still runs":
        "不结束：收到信号 {seconds} 秒后还在运行",
    "it does not end: {seconds} s after SIGTERM it still runs":
        "不结束：收到 SIGTERM {seconds} 秒后还在运行",
    "{who} gets 1 byte that nobody asked for": "{who} 收到 1 个不该有的字节",
    "{who} gets {count} bytes that nobody asked for": "{who} 收到 {count} 个不该有的字节",
    "it ends with status {status} too early: {what}": "它过早地以状态 {status} 结束：{what}",
    "it is killed by {signal} too early: {what}": "{signal} 过早地终止了它：{what}",
    "it ends with status {status}, and should end with {wanted}":
        "它以状态 {status} 结束，应当是 {wanted}",
    "it is killed by {signal}, and should end with {wanted}":
        "{signal} 终止了它，而它应当以状态 {wanted} 结束",
    "it ends with status {status}": "它以状态 {status} 结束",
    "it is killed by {signal}": "{signal} 终止了它",
    "it crashes: {what}": "崩溃：{what}",
    "a handler sets the next one: not both were called, in this order":
        "一个回调设置了下一个回调：两个没有都按次序调用",
    "two channels take each other off: not exactly one was called":
        "两个通道互相从树上摘下对方：调用的回调不是正好一个",
    "it hangs": "卡住了",
    "memory leaks: {what}": "内存泄漏：{what}",
    "at its end: {what}": "结束时：{what}",
    "it does not start: it has not printed {lines} within {seconds} s (is stdout flushed?)":
        "没有启动：{seconds} 秒内没有打印 {lines}（stdout 刷新了吗？）",
    "it does not start: it has not printed {lines} within {seconds} s":
        "没有启动：{seconds} 秒内没有打印 {lines}",
    "it does not start: {what}": "没有启动：{what}",
    "{made} calls of {name} for a request, not {count}; {more}":
        "每个请求有 {made} 次 {name}，应当是 {count} 次；{more}",
    "{made} calls of {name} for a request, not {count}":
        "每个请求有 {made} 次 {name}，应当是 {count} 次",
    "nothing comes, however long the client waits": "不论客户端等多久，什么也没来",
    "it fails": "失败",
    "nothing was run": "什么也没有运行",
    # tests/lab/one.py: the way to it
    "expected {what}": "期望 {what}",
    "got      {what}": "收到 {what}",
    "nothing": "什么也没有",
    "the end of the connection": "连接结束",
    "{bytes} and no more": "{bytes} 之后再也没有",
    "no client is left, and server gets SIGTERM": "客户端都走了，服务器收到 SIGTERM",
    "it printed, on stdout:": "它在 stdout 上打印了：",
    "it printed, on stderr:": "它在 stderr 上打印了：",
    "its command line, and what it printed on stderr:": "它的命令行，以及在 stderr 上打印的内容：",
    "and then: {what}": "然后：{what}",
    "its system calls since step {number}:": "从第 {number} 步起，它的系统调用：",
    "none": "没有",
    "no system calls: {why}": "看不到系统调用：{why}",
    "it waits in {call}": "它阻塞在 {call} 里",
    "it saw:": "测试看到的：",
    "on the wire:": "网络上：",
    "... {count} more lines": "... 还有 {count} 行",
    # tests/lab/check.py, tests/lab/trace.py
    "what this needs is not written here: {count} functions, {first} ... Begin: {how}":
        "这里还没写好它需要的内容：{count} 个函数，{first} …… 先运行：{how}",
    "{program} is not written here: {count} functions, {first} ... Begin: {how}":
        "这里还没写 {program}：{count} 个函数，{first} …… 先运行：{how}",
    "nothing is written here yet: {place}": "这里还什么都没写：{place}",
    "its page: {page}": "说明页：{page}",
    "{points} of {most} points": "得分 {points}，满分 {most}",
    "unstable: {checks}": "不稳定：{checks}",
    "passed": "通过",
    "skipped": "跳过",
    "unstable": "不稳定",
    "it does not compile": "编译不通过",
    "it hangs: not done after {seconds} s": "卡住了：{seconds} 秒后还没做完",
    "the check broke down: {why}": "检查程序出了故障：{why}",
    "not checked: {id} comes first": "没有检查：要先通过 {id}",
    "not checked yet": "还没有检查",
    "not checked since you changed it (solved before)": "改动之后还没有检查（先前已解决）",
    "not checked since you changed it (failed before)": "改动之后还没有检查（先前失败）",
    "solved": "已解决",
    "fails: {what}": "失败：{what}",
    "waiting for a change (Ctrl-C ends it)": "等待改动（Ctrl-C 结束）",
    "for strace and gdb: {program}": "供 strace 和 gdb 使用：{program}",
    "{folder}: no stage's server.cc lies there (make lab-start DIR={same})":
        "{folder}：里面没有任何阶段的 server.cc（make lab-start DIR={same}）",
    "{folder}: {file} does not lie there": "{folder}：里面没有 {file}",
    "{program}: there is no such program": "{program}：没有这个程序",
    "this machine cannot run the checks: {why}": "这台机器无法运行检查：{why}",
    "no checkpoint {number}: there are {ids}": "没有检查点 {number}；有的是 {ids}",
    "no checkpoint of this track asks for {check}": "这条路线没有哪个检查点用到 {check}",
    "what is to be checked? BIN='./mine --text-port 0', or DIR=mine":
        "要检查什么？BIN='./mine --text-port 0'，或者 DIR=mine",
    "the black-box tests ask for flags and for both ports: DIR=mine":
        "黑盒测试要用命令行选项和两个端口：DIR=mine",
    # tests/lab/start.py
    "# {program}: yours": "# {program}：你的",
    "What is to be written says so where it stands: look for `To write`. `make` builds it, "
    "`make run-01` runs stage 1, `make check` says how far you are in the newest stage "
    "(`STAGE=01`: in that one; `CP=3`: up to the third checkpoint), `make list` what is solved.":
        "要写的地方都有说明：搜索 `To write`。`make` 编译，`make run-01` 运行阶段 1，`make "
        "check` 告诉你最新的阶段做到哪里了（`STAGE=01`：那个阶段；`CP=3`：最多到第三个检查点），"
        "`make list` 列出已经解决的。",
    "- [{title}](lab/{page}), {points} points": "- [{title}](lab/{page})，{points} 分",
    "{folder}: {program}, from checkpoint {id} on. Read {page}, then: {command}":
        "{folder}：{program}，从检查点 {id} 开始。先读 {page}，然后：{command}",
    "{function} ({id}) is not written, and a handout has it nowhere: your teacher's "
    "`{command}` gives it, or the folder where you wrote it":
        "{function}（{id}）还没写，发给学生的版本里也没有：请老师运行 `{command}`，或者指定你写过它的文件夹",
    "taken over from your {before}: {functions}": "从你的 {before} 沿用：{functions}",
    "no checkpoint {number}: {program} has {first} to {last}":
        "没有检查点 {number}：{program} 有 {first} 到 {last}",
    "{folder} is no folder": "{folder} 不是文件夹",
    "{file} is there already, and stays as it is": "{file} 已经存在，保持原样",
    "{folder} lies in the lab's own tree: choose a folder of yours":
        "{folder} 在本仓库里面：请选一个自己的文件夹",
    "no stage {name}: there are {stages}": "没有阶段 {name}；有的是 {stages}",
    # titles and captions of conversations
    "whoever connects is let in, on both ports, and the server sleeps":
        "两个端口上，来者都接受，然后服务器阻塞等待",
    "it did not stop after the first ones": "它没有在最初几个之后就停下",
    "text comes back in upper case, and a request is answered": "文本转成大写返回，请求得到响应",
    "the other port": "另一个端口",
    "the first one is still there": "第一个还在",
    "it says where it listens, sleeps, and ends when it is asked to":
        "它报告监听地址，阻塞等待，收到信号就结束",
    "off the tree and back on it: four calls for each message":
        "从树上摘下再挂回去：每条消息四次调用",
    "who sends first and asks only if it must needs none": "先发送，必要时才关注：一次调用也不用",
    "changing the interest is one call: two for each message":
        "修改关注的事件只要一次调用：每条消息两次",
    "event_del and event_add: four calls for each message":
        "event_del 和 event_add：每条消息四次调用",
    "each client gets its text back in upper case": "每个客户端收到自己的文本，已转成大写",
    "the next one": "下一个",
    "a client that says nothing keeps nobody waiting": "一言不发的客户端不会让别人等待",
    "a client that reads late gets every byte, and keeps nobody waiting":
        "读得晚的客户端能收到每个字节，也不会让别人等待",
    "c1 sends, and does not read yet": "c1 发送，暂时不读",
    "a new client gets its own text, however the one before it ended":
        "不论前一个客户端怎样结束，新的客户端只收到自己的文本",
    "c1 is owed a lot, and goes": "还有很多数据没发给 c1，它走了",
    "c2 says its last word, and reads late": "c2 说完了，过一阵才读",
    "a client that is silent for a second is closed, one that talks is not":
        "沉默一秒的客户端会关闭，说话的不会",
    "c1 talks, c2 never did": "c1 在说话，c2 从没说过",
    "the server sleeps for more than a second; then a client comes, and may stay":
        "服务器阻塞了一秒多；然后来了一个客户端，可以留下",
    "a client comes": "来了一个客户端",
    "a timer is added": "增加一个定时器",
    "the server is asked to stop: it answers what has arrived, and ends with 0":
        "要求服务器停止：它应答已经到达的，以状态 0 结束",
    "no descriptor is left: a new client waits, and the server sleeps":
        "描述符用完了：新的客户端等待，服务器阻塞等待",
    "401 without the password, 200 with it": "没有密码得到 401，有密码得到 200",
    "/hello is open to all": "/hello 对所有人开放",
    "a thousand lines in one go": "一次发一千行",
    "text, and then a request, one byte a packet": "先是文本，再是请求，每个包一个字节",
    "chunked bodies: extensions, trailers, odd cuts, a broken one":
        "分块的请求体：扩展、尾部字段、随意切分，还有一个坏的",
    "with an extension and a trailer": "带扩展和尾部字段",
    "in pieces that end anywhere": "在任意位置切开",
    "no body at all": "没有请求体",
    "a size that is none": "不是数字的长度",
    "nothing behind Connection: close is answered": "Connection: close 之后的请求都不响应",
    "one of everything; `make demo` plays this one": "每样一个；`make demo` 进行的就是这一段",
    "text: last words, a half-close": "文本：最后的话，半关闭",
    "POST /echo, chunked": "POST /echo，分块",
    "two requests, pipelined": "两个请求，组成流水线",
    "a malformed request": "格式错误的请求",
    "--text-mode echo: bytes come back as they went": "--text-mode echo：字节原样返回",
    "no descriptor is left: clients wait, and are served when one frees":
        "描述符用完了：客户端等待，有了空闲的再服务",
    "before: what a server opens only for its first request (time zone, sanitizer) is "
    "behind it":
        "先做一次：只在第一个请求时打开的东西（时区、sanitizer）就过去了",
    "these fill the table: each stage needs some descriptors for itself":
        "这些把描述符占满：每个阶段自己也要用几个",
    "those that are in are served as ever": "已经进来的照常服务",
    "three go: there is room again, whatever a stage needs":
        "走了三个：不论阶段自己要用几个，又有空位了",
    "400, 413, 414, 431, 501, 505: the answer, then the end":
        "400、413、414、431、501、505：先是响应，然后结束",
    "400 no Host": "400 没有 Host",
    "413 a body over the limit, refused before it is read": "413 请求体超出上限，读取之前就拒绝",
    "414 a target over the limit": "414 请求目标超出上限",
    "431 fields over the limit": "431 首部字段超出上限",
    "501 a transfer coding that nobody knows": "501 不认识的传输编码",
    "505 another major version": "505 另一个主版本",
    "400, 404, 405, 417, 501, 204: which of them keep the connection":
        "400、404、405、417、501、204：哪些保持连接",
    "404 no such path": "404 没有这个路径",
    "405 the path has no such method; the body is skipped": "405 这个路径不支持该方法；跳过请求体",
    "417 an expectation that nobody knows": "417 不认识的 Expect",
    "501 a method that nobody knows": "501 不认识的方法",
    "400 a bad escape: the only one of these that closes": "400 转义错误：其中只有它会关闭连接",
    "Expect: 100-continue, wanted, not wanted, not needed":
        "Expect: 100-continue：要、不要、不需要",
    "the server wants the body and says so": "服务器要请求体，并且说明",
    "the body is here already": "请求体已经到了",
    "nobody wants it": "没有人要它",
    "the client says that it has ended, and still gets every answer":
        "客户端表示不再发送，仍然收到每个应答",
    "text": "文本",
    "HTTP: two complete requests and then the end": "HTTP：两个完整的请求，然后结束",
    "HTTP: the end in the middle of a body; no answer is the right one":
        "HTTP：在请求体中间结束；没有响应才对",
    "HEAD gets the head of GET and no body": "HEAD 得到 GET 的响应头，没有响应体",
    "HTTP/1.0: closes, unless it asks for keep-alive": "HTTP/1.0：关闭连接，除非请求 keep-alive",
    "silent clients are closed without a word": "关闭沉默的客户端，什么也不说",
    "one that never said anything": "一个从没说过话",
    "one that has got its answer": "一个得到过响应",
    "a text client": "一个文本客户端",
    "three requests, one after the other, on one connection": "一个连接上，一个接一个的三个请求",
    "--max-connections 1: the second client waits until the first one goes":
        "--max-connections 1：第一个客户端走了，才轮到第二个",
    "one line of text, and its answer": "一行文本和它的应答",
    "sixteen requests in one packet, answered in order": "一个包里十六个请求，按顺序响应",
    "two hundred requests in one packet: more than the session answers at a time":
        "一个包里两百个请求：会话一次响应不完",
    "the last one and the half of a further one; its rest":
        "最后一个，加上另一个的一半；然后是另一半",
    "408 for a request that never becomes complete": "请求一直不完整，得到 408",
    "a client resets; another one does not notice": "一个客户端复位，另一个不受影响",
    "SIGTERM while a request is half here: it is answered, then the server exits":
        "请求到了一半时收到 SIGTERM：先响应，服务器再退出",
    "clients with nothing under way are let go": "没有进行中请求的客户端，让它们走",
    "the one with half a request may finish it": "发了半个请求的，可以发完",
    "SIGTERM with nothing under way: the server exits at once":
        "没有进行中的请求时收到 SIGTERM：服务器立即退出",
    "a mebibyte of text for a client that does not read at first": "一兆字节文本，客户端起初不读",
    "it sends and does not read": "它发送，不读",
    "another client is served meanwhile": "其间服务另一个客户端",
    "it begins to read": "它开始读",
    "two clients whose requests arrive in pieces, in turn": "两个客户端的请求轮流分段到达",
    # tests/steps/steps.py, notes/steps
    "one client after the other": "一次只服务一个客户端",
    "many clients, one thread": "许多客户端，一个线程",
    "what a send did not take": "send 没收下的数据",
    "whose number is it?": "这是谁的编号？",
    "time": "时间",
    "what time is it?": "现在几点？",
    "the callback travels with the descriptor": "回调跟着描述符走",
    "the end": "优雅退出",
    "passes {number}: {title}": "通过 {number}：{title}",
    "fails {number}: {title}": "不通过 {number}：{title}",
    "c2 waits: the server sits in a recv for c1, which says nothing.":
        "c2 在等：服务器阻塞在 c1 的 recv 里，而 c1 一言不发。",
    "Bytes are lost: a send takes what there is room for, and nobody keeps the rest.":
        "字节丢失：send 能收多少就收多少，剩下的没有人保存。",
    'c2 says "hello" and gets "SSSS...", the text of c1: it has the number that c1 had.':
        'c2 发来 "hello"，收到的却是 c1 的文本 "SSSS..."：它得到了 c1 用过的编号。',
    "c2 has said nothing for more than a second, and is still there.": "c2 沉默了一秒多，却还在。",
    "c1 is closed as soon as it has come.": "c1 刚来就关闭了。",
    "The loop has to change for it: run asks each descriptor who it is.":
        "循环不得不为它改动：run 要问每个描述符是谁。",
    "SIGTERM ends the process on the spot: nobody answers what c1 had said.":
        "SIGTERM 让进程当场结束：c1 说的话没有人应答。",
    "It spins: epoll_wait says that a client waits, accept4 says EMFILE, and so on.":
        "空转：epoll_wait 说有客户端在等，accept4 说 EMFILE，如此反复。",
    "but it does not: {what}": "但是没有：{what}",
    "it passes": "它通过了",
    "What it asks of the kernel meanwhile:": "其间它向内核提出的请求：",
    "{call} ...  and here it waits": "{call} ...  它阻塞在这里",
    "A timer takes {lines} lines in {count} places: {names}.":
        "加一个定时器要改 {count} 处，共 {lines} 行：{names}。",
    "In {function}:": "{function} 中：",
    "A message costs {count} calls of epoll_ctl.": "每条消息 {count} 次 epoll_ctl。",
    "It opened {opened} descriptors. At its end {left} of them were open.":
        "它打开过 {opened} 个描述符，结束时还有 {left} 个没有关闭。",
    # tests/exercises: the points of an exercise, and what is seen where one is missing
    "POST /reverse answers with the body from its last byte to its first, at every stage.":
        "每个阶段的 POST /reverse 都返回倒过来的请求体，从最后一个字节到第一个。",
    "It keeps the request's Content-Type, and says application/octet-stream where there was "
    "none.":
        "保留请求的 Content-Type；请求没有的，写 application/octet-stream。",
    "All byte values, an empty body, chunks and 700,000 bytes, one after the other.":
        "依次是：所有字节值、空的请求体、分块、700,000 字节。",
    "Each size up to 40 bytes, and those around 4, 12, 16 and 64 KiB.":
        "40 字节以内的每一种大小，还有 4、12、16 和 64 KiB 前后的大小。",
    "But for the bytes' order it is like /echo: with other methods, versions, fields and queries, "
    "in what is refused, and when, and what /stats counts, with --auth, --max-body and in a drain, "
    "too; and a path that is only similar is not it.":
        "除了字节的顺序，都和 /echo 一样：其他方法、版本、字段和查询，拒绝什么、何时拒绝、/stats 的"
        "计数也是，用 --auth、--max-body 时、优雅退出时也一样；只是相像的路径不算。",
    "Its answer starts the client's clock anew: who asks again and again is kept for longer than "
    "--idle-timeout. Who sends a head and no more is told, until then, what /echo tells it.":
        "它的响应让客户端的计时重新开始：一再请求的客户端，连接保持得比 --idle-timeout 更久。"
        "只发来头部的客户端，在那之前收到的和 /echo 给的一样。",
    "{where}: /stats counts {more} requests, and {expected} when they are for /echo":
        "{where}：/stats 计了 {more} 个请求，发给 /echo 时是 {expected} 个",
    "{stage}, SIGTERM behind the head, {request}: {wanted} was expected, {got} came":
        "{stage}，头部之后是 SIGTERM，{request}：应当是 {wanted}，收到的是 {got}",
    "{stage}, {request}: /stats counts {more} requests, expected {expected}":
        "{stage}，{request}：/stats 计了 {more} 个请求，应当是 {expected} 个",
    "closed, with --idle-timeout 2, though it was asked every 0.6 s":
        "用 --idle-timeout 2 时，每 0.6 秒请求一次，却关闭了",
    "Requests in one packet, of this route and of others, are answered in their order.":
        "同一个包里的请求，这条路由的和其他路由的，按顺序得到响应。",
    "{stage}, {request}: {wanted} was expected, {got} came":
        "{stage}，{request}：应当是 {wanted}，收到的是 {got}",
    "GET /reverse is refused with 405 and `Allow: POST`.":
        "GET /reverse 得到 405，带 `Allow: POST`。",
    "4 MiB in one burst come back exactly, though one event stands for many reads.":
        "一次涌来的 4 MiB 原样返回，尽管一个事件代表许多次读取。",
    "A client that reads late gets everything: writing stopped at EAGAIN and went on.":
        "读得晚的客户端收到全部数据：写到 EAGAIN 停下，之后继续。",
    "5,000 requests in one write get 5,000 answers.": "一次写入的 5,000 个请求得到 5,000 个响应。",
    "An HTTP answer of 1 MB, taken in many pieces, comes to its end; and again on the same "
    "connection.":
        "客户端分许多次取走 1 MB 的 HTTP 响应，能收完；同一个连接上再来一次也一样。",
    "the body is not the request's": "响应体不是请求体",
    "Who is refused is heard out: 413 comes, and 2 MB that are sent all the same are read, and no "
    "reason to reset the connection.":
        "被拒绝的也要听完：返回 413，仍然发来的 2 MB 都读掉，也不因此复位连接。",
    "413 was expected, then the end; {error} came": "应当是 413，然后结束；来的是 {error}",
    "{read} of 2000000 bytes were read before it was closed":
        "2000000 字节只读了 {read} 字节就关闭了",
    "What has come before SIGTERM, or together with it, is answered: 60,000 bytes for the text "
    "port, 1,000 requests, and one of which the rest comes later.":
        "SIGTERM 之前或同时到达的，都得到响应：文本端口的 60,000 字节、1,000 个请求、"
        "还有一个后半截后来才到的请求。",
    "The loop sleeps while nothing comes: beside two silent clients, and one that does not read "
    "what it is owed.":
        "没有事情时循环一直阻塞：有两个沉默的客户端，还有一个不读取欠它的数据。",
    "150 clients of each port that connect at once are all accepted: one event stands for many; by "
    "one loop, and by six.":
        "每个端口同时连接的 150 个客户端全部被接受：一个事件代表许多个；一个循环是这样，六个也是。",
    "When it comes back its listeners are exclusive as before.":
        "它挂回来的监听套接字，照样是独占的。",
    "a loop that was full did not leave its listeners": "满员的循环没有摘下监听套接字",
    "{times} of {all} times a listener was added without it":
        "监听套接字挂上 {all} 次，有 {times} 次没有带它",
    "{woken} wake-ups in 0.6 s of silence": "沉默的 0.6 秒内醒来 {woken} 次",
    "Four loops share nothing: each gets 1,000 requests at the same time. ThreadSanitizer looks.":
        "四个循环什么也不共享：各自同时收到 1,000 个请求。由 ThreadSanitizer 检查。",
    "A request that comes byte by byte is answered, and so is the next one.":
        "逐字节发来的请求得到响应，下一个也一样。",
    "Each loop's listeners hang on its tree with EPOLLEXCLUSIVE; the clients do not.":
        "每个循环的监听套接字挂在树上都带 EPOLLEXCLUSIVE；客户端不带。",
    "A loop that is full still leaves its listener and comes back: 12 clients pass through 2 "
    "places.":
        "满员的循环照样摘下监听套接字，再挂回来：12 个客户端轮流用 2 个名额。",
    "epoll_wait always sleeps for ever (-1): a timerfd says when it is time, also of a deadline "
    "that is over already, of the heart's next beat, and of a drain's end; with each --rearm.":
        "epoll_wait 总是无限期阻塞（-1）：由 timerfd 报告时间到了；已经过了的期限、下一次心跳、"
        "优雅退出的结束也是；每种 --rearm 都如此。",
    "--idle-timeout 0.5 closes a silent connection after about half a second, with each --rearm.":
        "--idle-timeout 0.5 在大约半秒后关闭沉默的连接，每种 --rearm 都如此。",
    "A clock that starts anew is noticed: a client that asks every 0.3 s is kept for 2 s, and then "
    "closed, too; a beginning of a request gets 408. In the same time one that asks every 0.03 s, "
    "and one that asks every 0.15 s, cost less than one timerfd_settime for four requests.":
        "重新计时有效：每 0.3 秒请求一次的客户端保持 2 秒，然后也关闭；只有开头的请求得到 "
        "408。在这段时间里，每 0.03 秒请求一次的、每 0.15 秒请求一次的客户端，四个请求都用不到"
        "一次 timerfd_settime。",
    "200 requests cost less than 50 timerfd_settime: a deadline that moves back costs nothing, nor "
    "does one that stays, of an idle client, of one that was refused, or of the next heartbeat.":
        "200 个请求用不到 50 次 timerfd_settime：期限往后推没有代价，不变的期限也没有，不论是空闲客户端的、"
        "遭到拒绝的客户端的，还是下一次心跳的。",
    "A request that comes byte by byte is answered, and who leaves in the middle of one is let go "
    "at once, whatever --rearm says: who reads on must ask again.":
        "不论 --rearm 是什么，逐字节发来的请求都得到响应，请求发到一半就离开的客户端立即放走："
        "要继续读，就得再次关注。",
    "4 MiB come back exactly, also to a client that reads late, whatever --rearm says.":
        "不论 --rearm 是什么，4 MiB 原样返回，读得晚的客户端也一样。",
    "The listeners ask again, too: ten clients one after the other, on either port; and 150 at "
    "once; and who waited for a free descriptor.":
        "监听套接字也要再次关注：两个端口上，各有十个客户端一个接一个；各有 150 个同时来；"
        "还有等过空闲描述符的。",
    "A loop that is full leaves its listeners, and comes back: 12 clients pass through 2 places, "
    "whatever --rearm says.":
        "不论 --rearm 是什么，满员的循环摘下监听套接字，再挂回来：12 个客户端轮流用 2 个名额。",
    "With --rearm=mod a request still costs two epoll_ctl: the swap asks again by itself, and "
    "listeners are asked for again only when they have been reported.":
        "用 --rearm=mod 时，一个请求仍是两次 epoll_ctl：切换本身就是再次关注，"
        "监听套接字只在报告过之后才再次关注。",
    "The signalfd asks again, and so does what wakes the other loops: a second SIGTERM ends a "
    "drain that waits for a slow client in each of four loops.":
        "signalfd 也要再次关注，唤醒其他循环的描述符也是：优雅退出在四个循环里各等一个慢的客户端时，"
        "第二个 SIGTERM 使它结束。",
    "Who is reported together with SIGTERM is served on: half requests, of which the rest comes "
    "later, and clients that connect just then; whatever --rearm says.":
        "不论 --rearm 是什么，与 SIGTERM 在同一批的客户端照样得到响应：请求只来了一半、"
        "另一半后来才到的，还有恰好这时连接的。",
    "Who cannot be hung on the tree is closed at once, and the next one is served: the kernel "
    "refuses the first client (ENOSPC: max_user_watches).":
        "不能挂到树上的客户端立即关闭，下一个得到服务：内核拒绝第一个客户端"
        "（ENOSPC：max_user_watches）。",
    "no EPOLL_CTL_ADD for a client": "没有给客户端的 EPOLL_CTL_ADD",
    "5 clients that sent {beginning}, then {end}: {why}":
        "5 个客户端发送了 {beginning}，接着是 {end}：{why}",
    "--rearm={mode}, {what}": "--rearm={mode}，{what}",
    "{have} of {count} clients have been accepted": "{count} 个客户端接受了 {have} 个",
    "SIGUSR1 stays pending": "SIGUSR1 一直未决",
    "a body of 99,999,999 bytes: {status}, expected 413":
        "99,999,999 字节的请求体：得到 {status}，应当是 413",
    "--rearm={mode}, client {number} of 30: {why}":
        "--rearm={mode}，30 个客户端中的第 {number} 个：{why}",
    "100 requests, {made} epoll_ctl": "100 个请求，{made} 次 epoll_ctl",
    "--rearm=mod: 100 requests cost 200 calls (and GET /stats its own).":
        "--rearm=mod：100 个请求 200 次调用（另加 GET /stats 自己的）。",
    "--rearm=del-add: 400, because a swap is two calls.":
        "--rearm=del-add：400 次，因为一次切换是两次调用。",
    "--rearm=eager: none.": "--rearm=eager：一次也没有。",
    "SIGTERM goes before either: requests that came together with it are answered knowing of "
    "it, so the last answer, and no other, says `Connection: close`.":
        "SIGTERM 排在两者之前：与它同时到达的请求，响应时已经知道要退出，所以只有最后一个响应带 "
        "`Connection: close`。",
    "kill -USR1 prints the line of --heartbeat, at once: `heartbeat: open 3, ... requests 6, "
    "...`.":
        "kill -USR1 立即打印 --heartbeat 的那一行：`heartbeat: open 3, ... requests 6, ...`。",
    "With --threads 4 it is still one line: only one base of a process can have its signals.":
        "用 --threads 4 时仍是一行：一个进程里只有一个 event_base 能处理信号。",
    "Each signal is a line, also where three come while the loop is busy with one batch: strace "
    "makes that last.":
        "每个信号一行，循环忙于一批事件的时候来了三个也一样：由 strace 让这一批持续得久。",
    "three signals during one batch, and {lines} lines":
        "一批事件期间来了三个信号，却打印了 {lines} 行",
    "It works a second and a third time, each time at once, and the clients notice nothing.":
        "第二次、第三次也有效，每次都立刻打印，客户端察觉不到。",
    "An idle connection costs at most 230 bytes more than in stage 1: one struct event, not two.":
        "一个空闲连接最多比阶段 1 多占 230 字节：一个 struct event，不是两个。",
    "Each has its own deadline: of two clients the one that asked again is closed later; a "
    "beginning of a request gets 408.":
        "各有自己的期限：两个客户端中，又请求过一次的那个关闭得晚；只有开头的请求得到 408。",
    "After a refusal it lingers for about a second, then closes, also beside one that is idle for "
    "longer; and one that is idle for less does not wait for it.":
        "拒绝之后延迟关闭大约一秒，然后关闭，旁边有空闲超时更长的客户端时也一样；"
        "空闲超时更短的客户端不用等它。",
    "alone, it lingers for more than three seconds": "只有它自己时，延迟关闭超过了三秒",
    "beside one that is idle, it lingers for more than three seconds":
        "旁边有空闲的客户端时，延迟关闭超过了三秒",
    "--idle-timeout 0.3, beside one that lingers: closed after {seconds} s":
        "--idle-timeout 0.3，旁边有延迟关闭的客户端：{seconds} 秒后才关闭",
    "with --idle-timeout 2.5 a last look ended {seconds} s after another client had asked: it "
    "waited for that one's time":
        "用 --idle-timeout 2.5 时，另一个客户端请求之后 {seconds} 秒，最后检查才结束："
        "它等了那一个的期限",
    "The limit is each client's own: four at once take no longer than one, and no less; so they do "
    "in four loops.":
        "每个客户端各自限速：四个同时来，不比一个更慢，也不更快；在四个循环里也一样。",
    "A client that is being held back delays nobody else.": "受到限速的客户端不会拖慢别人。",
    "--rate 0, 10x, -1 and fast are refused like every wrong value: one line that names the flag, "
    "status 2.":
        "--rate 的值是 0、10x、-1、fast 时，和其他错误的值一样遭到拒绝：一行消息指出这个选项，状态为 2。",
    "GET /count?n=5 answers 1 to 5, a line each, with Transfer-Encoding: chunked.":
        "GET /count?n=5 返回 1 到 5，每行一个，用 Transfer-Encoding: chunked。",
    "GET /count?n=5 answers 1 to 5, a line each, with Transfer-Encoding: chunked, at every "
    "stage.":
        "每个阶段的 GET /count?n=5 都返回 1 到 5，每行一个，用 Transfer-Encoding: chunked。",
    "n=300000 is exact, and the connection serves the next request.":
        "n=300000 分毫不差，连接还能服务下一个请求。",
    "n=0 is an empty body: the last chunk alone.": "n=0 是空的响应体：只有最后一块。",
    "No n, or one that is no number of 64 bits, gets 400.":
        "没有 n，或者 n 不是 64 位以内的数，得到 400。",
    "With --auth it wants credentials like every route but /hello.":
        "用 --auth 时，和 /hello 以外的路由一样需要密码。",
    "POST /reverse: {status}, expected 200": "POST /reverse：{status}，应当是 200",
    "GET /reverse: {status}, expected 405": "GET /reverse：{status}，应当是 405",
    "GET /count?n={n}: {status}, expected 200": "GET /count?n={n}：{status}，应当是 200",
    "{bad}, in the same packet behind n=9000: {what} came, expected 400":
        "同一个包里，n=9000 之后是 {bad}：来的是 {what}，应当是 400",
    "{bad}, later behind n=9000: {what} came, expected 400":
        "n=9000 之后，再发 {bad}：来的是 {what}，应当是 400",
    "{method} {target}: {status}, expected {wanted}":
        "{method} {target}：{status}，应当是 {wanted}",
    "a client that does not read has sent {sent} MiB behind its request":
        "一个不读的客户端，在请求后面又发了 {sent} MiB",
    "n=0 ended with {got}": "n=0 以 {got} 结束",
    "with --auth and no credentials: {status}, expected 401":
        "用 --auth 而没有密码：{status}，应当是 401",
    "with --auth and no credentials: {method} gets {status}, expected 401":
        "用 --auth 而没有密码：{method} 得到 {status}，应当是 401",
    "with --auth and wrong credentials: {method} gets {status}, expected 401":
        "用 --auth 而密码不对：{method} 得到 {status}，应当是 401",
    "with credentials: {status}": "有密码：{status}",
    "--grace 1 ends the server after a second, with a client that has not finished its request; "
    "with --grace 20 that one's --idle-timeout of a second ends it, drain or not.":
        "还有客户端没发完请求时，--grace 1 让服务器在一秒后结束；用 --grace 20 时，"
        "优雅退出期间，它一秒的 --idle-timeout 也照样到期。",
    "408 was expected in the drain, nothing came in 5 s":
        "优雅退出期间应当是 408，5 秒内什么也没来",
    "408 was expected in the drain, {got} came": "优雅退出期间应当是 408，收到的是 {got}",
    "--rate 262144: 512 KiB take between 1.2 and 8 seconds on either port, and come back "
    "exactly; with --rate 50000000 and 100000000, four fifths of a second's bytes take at least "
    "half a second.":
        "--rate 262144：在两个端口上，512 KiB 都用时 1.2 到 8 秒，原样返回；用 --rate 50000000 "
        "和 100000000 时，五分之四秒的数据至少要半秒。",
    "150 clients of each port that connect at once are all accepted and answered.":
        "每个端口 150 个客户端同时连接，都得到接受和应答。",
    "20 text clients and then one HTTP client send: the HTTP client's answer is made before a "
    "byte of text is read, with --rearm=swap and with --rearm=eager.":
        "20 个文本客户端先发送，然后是一个 HTTP 客户端：先生成 HTTP "
        "客户端的响应，再读文本的第一个字节；--rearm=swap 和 --rearm=eager 都一样。",
    "60 clients that leave in the middle harm nobody, and neither sockets nor memory stay.":
        "60 个客户端中途离开，不影响任何人，也不留下套接字和内存。",
    "80 MB cost less than 1 MiB of memory and delay nobody where the client, by HTTP/1.1 or 1.0, "
    "does not read, and where it sends all the time. When it reads, the server goes on.":
        "80 MB 占用的内存不到 1 MiB，也不拖慢别人：客户端不读时（HTTP/1.1 和 1.0 都一样）如此，"
        "不停地发时也如此。客户端一读，服务器就继续发。",
    "A call that fails was made, too: the kernel refuses one, and it is counted.":
        "失败的调用也是调用：内核拒绝了一次，也要计数。",
    "A client that sends and does not read is not read from, either: it costs less than 1 MiB. "
    "One that is read from without end may pause first: so one after the other, five of them.":
        "只发送、不读的客户端，也不再从它那里读：占用不到 1 MiB。一直被读的客户端，可能先停"
        "一会儿：所以一个接一个，共五个。",
    "A client's clock starts when it comes, however long the loop had slept: with "
    "--idle-timeout 1 who comes after 1.3 s is not closed at once.":
        "不论循环阻塞了多久，都从客户端到来时开始计时：用 --idle-timeout 1 时，1.3 "
        "秒后来的客户端不会立即关闭。",
    "A client's last bytes and its FIN come as one edge: the bytes are answered, and the server "
    "closes, too; be it that they are no whole request, and that it is RST.":
        "客户端最后的字节和 FIN 同在一次边沿里：这些字节得到应答，服务器也关闭；"
        "哪怕它们不是完整的请求，哪怕来的是 RST。",
    "A loop with clients and without events sleeps: at most two wake-ups in two seconds.":
        "有客户端而没有事件，循环就一直阻塞：两秒内最多醒来两次。",
    "A nearer deadline than the one that is set is kept, too: with an idle time of a minute, "
    "who was refused is hung up on after a second, and --grace 1 ends the server.":
        "比已设的更早的期限也要遵守：空闲超时是一分钟，遭到拒绝的客户端仍在一秒后断开"
        "，--grace 1 也能让服务器结束。",
    "HTTP/1.0, n={n} and a further request: a reset in place of the end":
        "HTTP/1.0，n={n}，后面还有一个请求：收到的是复位，不是连接结束",
    "HTTP/1.0, n={n} and a further request: {size} bytes":
        "HTTP/1.0，n={n}，后面还有一个请求：收到 {size} 字节",
    "HTTP/1.0, n={n} and a further request": "HTTP/1.0，n={n}，后面还有一个请求",
    "An HTTP/1.0 client gets no chunks: the body ends with the connection, even where it asked "
    "to keep that.":
        "HTTP/1.0 客户端收到的不分块：响应体到连接结束为止，哪怕它请求保持连接。",
    "An answer leaves nothing behind, whether its client asks on, stays or leaves before it is "
    "complete: 60 of 700,000 bytes cost less than 8 MiB.":
        "响应之后什么也不留下，无论客户端继续请求、留着不走，还是没收完就离开："
        "60 个 700,000 字节的响应占用不到 8 MiB。",
    "And it has gone out before that, although --rearm=swap waits for EPOLLOUT in between.":
        "而且在那之前就发出去了，尽管 --rearm=swap 中间要等 EPOLLOUT。",
    "Answers are not held back: with --rate 2000, 40 short requests get 40 pages at once.":
        "响应不受限速：用 --rate 2000 时，40 个短请求立即得到 40 个页面。",
    "Every client hangs on the tree with EPOLLET, whether it is to be read or to be written.":
        "每个客户端挂在树上都带 EPOLLET，不论等待可读还是可写。",
    "Four loops count at the same time and share no memory: ThreadSanitizer looks.":
        "四个循环同时计数，不共享内存：由 ThreadSanitizer 检查。",
    "HEAD gets the head alone, and the connection serves the next request.":
        "HEAD 只得到响应头，连接还能服务下一个请求。",
    "One timerfd serves all: 30 clients cost 30 descriptors; they come and go, and none stays.":
        "所有人共用一个 timerfd：30 个客户端用 30 个描述符；来了又走，不留下描述符。",
    "30 clients more, and {more} descriptors more": "多 30 个客户端，却多 {more} 个描述符",
    "SIGTERM still drains after it, with status 0: one loop, and four.":
        "此后 SIGTERM 照样优雅退出，状态为 0：一个循环和四个循环都一样。",
    "Slow is slow, and neither more nor much less than it says: with --rate 1, 4 bytes take more "
    "than 1.8 seconds, 24 with --rate 8 more than 1.5, 55 with --rate 11 more than 3.4, 57 with "
    "--rate 19 between 2.2 and 4.6, 116 with --rate 29 between 3.2 and 5.2, and 398 with --rate "
    "199 between 1.5 and 3.4.":
        "慢就是慢，不会超过所说的，也不会少很多：用 --rate 1 时，4 字节要 1.8 秒以上；用 --rate 8 "
        "时，24 字节要 1.5 秒以上；用 --rate 11 时，55 字节要 3.4 秒以上；用 --rate 19 时，57 字节要 "
        "2.2 到 4.6 秒；用 --rate 29 时，116 字节要 3.2 到 5.2 秒；"
        "用 --rate 199 时，398 字节要 1.5 到 3.4 秒。",
    "The bytes of a second are read throughout the second, not all at its beginning: 192 KiB "
    "take at least half a second, from the first moment on, and after a rest.":
        "一秒的字节在整个一秒里读取，不是一开始就读完：192 KiB 至少要半秒，从第一刻起就这样，"
        "停顿之后也一样。",
    "The loop prints it, as what it does for any event: in a signal handler, which may "
    "interrupt malloc, nothing may print or allocate. Nor is it another thread, which knows "
    "nothing of the loop.":
        "由循环来打印，和处理别的事件一样：信号处理函数可能打断 "
        "malloc，在里面不能打印，也不能分配内存。也不能由另一个线程打印：它不知道循环怎么样。",
    "The next request waits until the last chunk is out; with Connection: close, closing does.":
        "最后一块发出之前，下一个请求要等待；有 Connection: close 时，关闭要等待。",
    "The sum over three loops is what strace counts, for both ports, the listeners and all, "
    "whatever --rearm says.":
        "不论 --rearm 是什么，三个循环的总数都和 strace 数到的一致，两个端口、监听套接字全都算上。",
    "What belongs to an answer is freed once, when it ends, its client leaves, or a second "
    "SIGTERM ends the server: valgrind looks.":
        "响应结束、客户端离开、或者第二个 SIGTERM 结束服务器时，属于这个响应的东西释放一次，"
        "只一次：由 valgrind 检查。",
    "An answer may take longer than --idle-timeout, as long as its client reads; one that does "
    "not read is let go. Behind the answer the time is what it was, and ends with 408 or silently.":
        "客户端只要一直在读，响应就可以比 --idle-timeout 更久；不读的，则会断开。响应之后，"
        "超时照旧：以 408 结束，或者悄悄关闭。",
    "--idle-timeout 1, {what} behind {who}: {got} came":
        "--idle-timeout 1，{who} 之后{what}：收到 {got}",
    "--idle-timeout 1, {what} behind {who}: after {got} bytes ({tail}) nothing came for "
    "{seconds} s, and it is not closed":
        "--idle-timeout 1，{who} 之后{what}：收到 {got} 字节（{tail}）之后，{seconds} "
        "秒内什么也没来，也没有关闭",
    "--idle-timeout 1, and who sends a request byte by byte behind {who} is not let go in 6 s":
        "--idle-timeout 1，{who} 之后逐字节发送请求的客户端，6 秒内没有断开",
    "--idle-timeout 1, a request byte by byte behind {who}: {got} came":
        "--idle-timeout 1，{who} 之后逐字节发送的请求：收到 {got}",
    "--idle-timeout 1, {who} every 0.4 s: {what}": "--idle-timeout 1，每 0.4 秒一次 {who}：{what}",
    "part of a request": "只有请求的一部分",
    "part of a body": "只有请求体的一部分",
    "a body asked for": "先问再发的请求体没有来",
    "silence": "什么也不发",
    "this machine is too busy": "这台机器太忙",
    "{bad}, in the same packet behind n=9000: the numbers did not come":
        "同一个包里，n=9000 之后是 {bad}：数字没有来",
    "{bad}, later behind n=9000: the numbers did not come":
        "n=9000 之后，再发 {bad}：数字没有来",
    "8 requests, of which 4 are refused, and /stats counts {counted}":
        "8 个请求，其中 4 个被拒绝，/stats 却计 {counted} 个",
    "behind n={n}, POST /echo: {status} and {got}": "n={n} 之后，POST /echo：{status} 和 {got}",
    "evhttp_server, which has the same routes, says 404 as before, or counts as well: no answer "
    "that is not true. With --auth it wants credentials first.":
        "evhttp_server 用的也是这些路由：它仍然响应 404，或者同样数出来，不会给出错误的响应。有 --auth "
        "时，先要凭据。",
    "--auth, and evhttp_server says {status}": "有 --auth，evhttp_server 的响应是 {status}",
    "What it needs is freed at the end, and nothing freed is looked at: valgrind looks.":
        "用到的东西最后都释放，释放了的不再访问：由 valgrind 检查。",
    "a Content-Length, and lines behind it": "有 Content-Length，后面却还有行",
    "Text that never pauses keeps out nobody else: a new HTTP client is accepted and read, and who "
    "is silent for longer than --idle-timeout is closed, before half of what 20 text clients have "
    "sent is read.":
        "文本一直不停，也不耽误别的：20 个文本客户端发送的数据还没读到一半，新来的 HTTP 客户端就已"
        "得到接受和读取，沉默超过 --idle-timeout 的客户端也已关闭。",
    "a new HTTP client was read only after more than half of the text":
        "文本读了一半以上，才读新来的 HTTP 客户端",
    "who was silent was closed only after more than half of the text":
        "文本读了一半以上，才关闭沉默的客户端",
    "Nor does HTTP that never pauses keep out more than text: while one byte of that waits, and "
    "ten uploads are read, --heartbeat beats, and a drain ends when --grace 0.4 is over, or at a "
    "second SIGTERM.":
        "HTTP 一直不停，也只耽误文本：有一个字节的文本在等，十个上传正在读，这时 --heartbeat 照常打印，"
        "--grace 0.4 到时、"
        "或者第二个 SIGTERM 到来，优雅退出照样结束。",
    "--grace 0.4 was over, and {number} times was read before the end":
        "--grace 0.4 已经到时，结束之前却又读了 {number} 次",
    "the second SIGTERM came, and {number} times was read before the end":
        "第二个 SIGTERM 已经到来，结束之前却又读了 {number} 次",
    "And who waits for a place is accepted before half of the uploads is read: of 12 clients one "
    "of HTTP leaves, or one is silent for longer than --idle-timeout; or there are descriptors "
    "again. Who leaves is let go in that time also where nobody waits.":
        "上传的数据还没读到一半，等位置的客户端就已得到接受：12 个客户端里，一个 HTTP 的离开，或者有"
        "一个沉默超过 "
        "--idle-timeout；或者又有了空闲的描述符。即使没有人在等，离开的客户端也在这段时间里得到释放。",
    "{number} beats, and none of them while the uploads were read":
        "打印了 {number} 次，却没有一次是在读那些上传的时候",
    "{number} times was read before {name} was called": "读了 {number} 次才调用 {name}",
    "{name} was not called in 10 s": "10 秒内没有调用 {name}",
    "--idle-timeout 0.5 still closes a silent connection after about half a second; so does each "
    "of four loops.":
        "--idle-timeout 0.5 仍然在大约半秒后关闭沉默的连接；四个循环个个如此。",
    "Text that moves starts the clock anew: with --idle-timeout 1 who sends a byte every 0.4 s is "
    "served for longer than that, and closed when it is silent.":
        "文本往来时重新计时：用 --idle-timeout 1 时，每 0.4 秒发送一个字节的客户端能用得更久，"
        "沉默之后才关闭。",
    "--heartbeat beats as before: 0.4 makes about five lines in two seconds.":
        "--heartbeat 照旧打印：0.4 在两秒里打印五行左右。",
    "it was closed after {number} bytes": "{number} 字节之后就关闭了",
    "one of four loops closes no silent client": "四个循环中，有一个不关闭沉默的客户端",
    "{lines} lines in {took} seconds": "{took} 秒里有 {lines} 行",
    "the line took {seconds} s": "这一行用了 {seconds} 秒",
    "Three clients of one loop at the same time get each its own numbers.":
        "同一个循环的三个客户端同时请求，各自得到自己的那些数。",
    "Three clients at the same time get each its own numbers; so do four, one in each of four "
    "loops.":
        "三个客户端同时请求，各自得到自己的那些数；四个循环里各一个，也是这样。",
    "four loops at once: n={n} got {got} bytes": "四个循环同时：n={n} 收到 {got} 字节",
    "four loops at once: n={n} did not come to its end": "四个循环同时：n={n} 没有发完",
    "What comes behind it waits for its last chunk, be it a request or none; with Connection: "
    "close, closing does.":
        "后面来的不论是不是请求，都要等它的最后一块发出；有 Connection: close 时，关闭要等待。",
    "Whatever hangs on the tree is EPOLLONESHOT: clients, to be read or to be written, "
    "listeners and the signalfd, whatever --rearm says.":
        "挂在树上的都带 EPOLLONESHOT：等待可读或可写的客户端、监听套接字、signalfd，不论 "
        "--rearm 是什么。",
    "When the last client is gone, be it by itself, the loop sleeps: at most one wake-up in two "
    "seconds. Who comes then is closed in time as well.":
        "最后一个客户端走了，哪怕是自己走的，循环就一直阻塞：两秒内最多醒来一次。之后再来的客户端，"
        "也按时关闭。",
    "{flags}: {number} timers, and one for each loop is to do":
        "{flags}：有 {number} 个定时器，每个循环只该有一个",
    "While it is full, and clients wait on both ports, it sleeps: one loop, and six.":
        "满员时，两个端口上都有客户端在等，它也照样阻塞：一个循环是这样，六个也是。",
    "Who leaves takes its share along: 100 clients have come and gone, and libevent holds what "
    "it held.":
        "走的带走自己的一份：100 个客户端来了又走，libevent 占用的和先前一样。",
    "Who resets the connection is let go: 20 clients that waited, and 20 that were owed bytes.":
        "复位连接的就放走：20 个在等待的客户端，20 个还有数据没收到的客户端。",
    "Whose time is over while bytes of it wait is looked at once more, and that has an end: "
    "with half a body it gets 408, also beside one that has more time.":
        "时间到了、却有字节在等的客户端，最后检查一次，而且仅此一次：请求体只有一半就"
        "得到 408，旁边有期限更晚的客户端时也一样。",
    "With four loops that reverse at the same time no memory is shared: ThreadSanitizer looks.":
        "四个循环同时倒转，不共享内存：由 ThreadSanitizer 检查。",
    "With six loops, a new client wakes about one of them, not all six, on either port.":
        "有六个循环时，不论哪个端口，一个新客户端大约只唤醒一个，而不是全部六个。",
    "Without --rate there is no limit, with --rate 1000000000 none to be seen, and neither the "
    "other stages nor evhttp_server know the flag.":
        "没有 --rate 就不限速，用 --rate 1000000000 时看不出限速；其他阶段和 evhttp_server "
        "都不认识这个选项。",
    "What the limit needs is there as long as its clients are, and nothing freed is looked at: "
    "valgrind looks.":
        "客户端还在，限速用到的东西就在，不会访问已经释放的内存：由 valgrind 检查。",
    "A server that is told to stop still reads what its clients had sent, at that rate: of one "
    "that it has, and of one that waited for a place, 30,000 bytes at 20,000 per second come back, "
    "then FIN.":
        "服务器要停止时，仍然按这个速率读完客户端已经发送的数据：已经接受的一个客户端，"
        "和等待空位的一个，各以每秒 20,000 字节发送 30,000 字节，全部返回，然后是 FIN。",
    "SIGTERM, and {got} of {all} bytes came back": "SIGTERM 之后，{all} 字节返回了 {got} 字节",
    "SIGTERM, and 1.5 seconds' bytes came back within {seconds} s":
        "SIGTERM 之后，1.5 秒的字节在 {seconds} 秒内就返回了",
    "{seconds} s for {size} bytes with --rate {rate}":
        "用 --rate {rate} 时，{size} 字节用了 {seconds} 秒",
    "one of four clients took {seconds} s": "四个客户端中，有一个用了 {seconds} 秒",
    "with --rate {rate} the server ends, status {status}":
        "用 --rate {rate} 时服务器结束了，状态 {status}",
    "with --rate {rate}: {what}": "用 --rate {rate} 时，{what}",
    "n is any number: 5,000,000,000 begins like all others.":
        "n 可以是任何数：5,000,000,000 的开头也一样。",
    "60 answers of 700,000 bytes to one client have left {grown} KiB":
        "一个客户端的 60 个 700,000 字节的响应之后，还占着 {grown} KiB",
    "60 answers of 700,000 bytes to clients that are still there have left {grown} KiB":
        "60 个 700,000 字节的响应，客户端都还连着，还占着 {grown} KiB",
    "60 answers of 700,000 bytes to clients that left before the end have left {grown} KiB":
        "60 个 700,000 字节的响应，客户端没收完就离开了，还占着 {grown} KiB",
    "an answer was not its own request's body, reversed": "有个响应不是它自己的请求体倒过来的样子",
    "interests without it: {found}": "没有带它的关注的事件：{found}",
    "{sent} KiB were taken of one that does not read, and the server has grown by {grown} KiB":
        "从一个不读的客户端收下了 {sent} KiB，服务器多占了 {grown} KiB",
    "{who} port: closed without an answer": "{who} 端口：没有应答就关闭了",
    "{who} port: {what}": "{who} 端口：{what}",
    "{found} listeners were added with EPOLLEXCLUSIVE: two loops with two listeners each make 4":
        "{found} 个监听套接字带 EPOLLEXCLUSIVE 挂上：两个循环，各有两个监听套接字，应当是 4 个",
    "clients have it, too": "客户端也带了它",
    "{woken} wake-ups in half a second of waiting": "等待半秒，醒来 {woken} 次",
    "{left} descriptors more than before": "比先前多 {left} 个描述符",
    "{who} {times} times asked for an event": "{who} 关注了 {times} 次事件",
    "{who} {times} of {all} times without it, as in {call}":
        "{who} {all} 次中有 {times} 次没有带它，例如 {call}",
    "{read} text clients were read between the HTTP client's request and its answer":
        "在 HTTP 客户端的请求和响应之间，读了 {read} 个文本客户端",
    "it is written by the signal handler": "它是在信号处理函数里写出的",
    "{flags}: status {who}": "{flags}：状态 {who}",
    "{woken} wake-ups, of which two are for GET /stats": "醒来 {woken} 次，其中两次是为 GET /stats",
    "closed at once": "立即关闭了",
    "it was closed at once": "它立即关闭了",
    "408 was expected, nothing came in 5 s": "应当是 408，5 秒内什么也没来",
    "{seconds} s for four; sharing one bucket takes over 7 s":
        "四个用了 {seconds} 秒；共用一个桶要 7 秒以上",
    "three quarters of a second's bytes came back within {seconds} s":
        "一秒字节数的四分之三在 {seconds} 秒内就返回了",
    "100 clients have left {grown} bytes behind": "100 个客户端之后，还占着 {grown} 字节",
    "{seconds} s on the {who} port": "{who} 端口用了 {seconds} 秒",
    "{all} bytes of requests, and only {got} of the answers have come after {seconds} s":
        "{all} 字节的请求，{seconds} 秒后只来了 {got} 字节的响应",
    "{stage} --rate {value} was taken": "{stage} 接受了 --rate {value}",
    "/%72everse names the same route, as /%68ello is /hello.":
        "/%72everse 是同一条路由，就像 /%68ello 是 /hello。",
    "POST /%72everse: {status} and {got}": "POST /%72everse：{status} 和 {got}",
    "What is refused leaves nothing behind, either: libevent counts its bytes (--count-memory).":
        "被拒绝的请求也不残留任何东西：由 libevent 统计字节数（--count-memory）。",
    "1000 requests were refused, and libevent holds {grown} KiB more":
        "拒绝了 1000 个请求，libevent 多占了 {grown} KiB",
    "What is not read yet waits in the kernel, not in the server: a client at 1,024 bytes per "
    "second is soon told to wait.":
        "还没读的数据在内核里等，不在服务器里：每秒 1,024 字节的客户端很快就要等待。",
    "{sent} MiB were taken of a client at 1024 bytes per second":
        "从每秒 1024 字节的客户端收下了 {sent} MiB",
    "Each loop has a timer of its own: a silent client in each of four loops is closed; so are "
    "those that come to them next.":
        "每个循环有自己的定时器：四个循环里各有一个沉默的客户端，都被关闭；接着来的也是。",
    "A deadline that is over when it is set is kept, too: 300 clients come in one batch, which "
    "takes longer than their --idle-timeout of a millisecond.":
        "设置时已经过去的期限也要遵守：一批来了 300 个客户端，处理它们的时间超过了 1 毫秒的 --idle-timeout。",
    "In a drain, too, the request behind it in the same packet is answered.":
        "优雅退出期间，同一个包里排在后面的请求也要响应。",
    "The heart's own lines come as before: with --heartbeat 0.5, six signals put off none.":
        "--heartbeat 自己的行照常打印：--heartbeat 0.5 时，六个信号不会推迟任何一行。",
    "{lines} lines, six of them asked for, in three seconds of half ones":
        "间隔半秒，三秒里打印了 {lines} 行，其中六行是信号要求的",
    "Who waits because no descriptor is left is let in when there are some again, though nobody "
    "has left meanwhile.":
        "因为描述符用完而等待的客户端，在又有描述符时得到接受，即使这期间没有人离开。",
    "valgrind cannot run what is built with sanitizers": "valgrind 不能运行用 sanitizer 编译的程序",
    "valgrind is not installed": "没有安装 valgrind",
    "{left} sockets are still open after {seconds} s": "{seconds} 秒后还有 {left} 个套接字开着",
    "{what}: after {got} bytes ({tail}) nothing came for {seconds} s, and it is not closed":
        "{what}：{got} 字节（{tail}）之后，{seconds} 秒内什么也没来，也没有关闭",
    "client {number} was closed": "客户端 {number} 关闭了",
    "ThreadSanitizer says: {text}": "ThreadSanitizer 报告：{text}",
    "of {all} clients, number {number} got no answer":
        "{all} 个客户端中，第 {number} 个没有得到应答",
    "3 requests, and /stats counts {counted}": "3 个请求，/stats 的计数是 {counted}",
    "2 requests by HTTP/1.0, and /stats counts {counted}":
        "HTTP/1.0 的 2 个请求，/stats 的计数是 {counted}",
    "60 clients left in the middle, and {grown} KiB were kept":
        "60 个客户端中途离开，还占着 {grown} KiB",
    "HEAD /count has a body: {rest}": "HEAD /count 有响应体：{rest}",
    "HEAD /count: Content-Length: 0": "HEAD /count：Content-Length: 0",
    "before n={n}, of {all} in one packet, {got} came":
        "一个包里有 {all}，在 n={n} 之前收到的是 {got}",
    "n={n}, of {all} in one packet: {got} bytes": "一个包里有 {all}，n={n} 收到 {got} 字节",
    "behind them {got} came": "它们后面收到的是 {got}",
    "three clients at once: n={n} got {got} bytes": "三个客户端同时：n={n} 收到 {got} 字节",
    "--idle-timeout, and closed after {got} bytes, though the client read all the time":
        "有 --idle-timeout 时，客户端一直在读，却在 {got} 字节后关闭",
    "evhttp_server: GET {path} gets {status}, {got}":
        "evhttp_server：GET {path} 得到 {status}，{got}",
    "evhttp_server: HEAD {path} gets {status}, and GET {other}":
        "evhttp_server：HEAD {path} 得到 {status}，GET 却得到 {other}",
    "not two answers": "不是两个响应",
    "with Connection: close, n=300000 ended after {got} bytes":
        "有 Connection: close 时，n=300000 在 {got} 字节后就结束了",
    "HEAD /count, then GET /hello: {got} came, then nothing more":
        "HEAD /count，然后 GET /hello：收到 {got}，然后再也没有",
    "{expected} was expected, {got} came": "应当是 {expected}，收到的是 {got}",
    "{added} of 2 clients were added to the tree": "2 个客户端中有 {added} 个挂到了树上",
    "{accepted} of {all} clients were accepted": "{all} 个客户端中接受了 {accepted} 个",
    "{all} clients, and accept4 said EAGAIN {vain} times: up to {loops} loops wake for each "
    "client; one would do":
        "{all} 个客户端，accept4 返回 EAGAIN {vain} 次：每个客户端最多唤醒 {loops} "
        "个循环，其实一个就够",
    "the kernel refused: {call}": "内核拒绝了：{call}",
    "epoll_wait had a time-out: {found}": "epoll_wait 有超时：{found}",
    "no timerfd_create": "没有 timerfd_create",
    "timerfd_create({arguments}): deadlines are times of another clock":
        "timerfd_create({arguments})：期限用的是另一个时钟",
    "no timerfd_settime at all: there is no timerfd yet":
        "一次 timerfd_settime 也没有：还没有 timerfd",
    "{asked} requests, one every {every} s, {times} times timerfd_settime":
        "每 {every} 秒一个、一共 {asked} 个请求，{times} 次 timerfd_settime",
    "200 requests {how}, {times} times timerfd_settime":
        "200 个请求（{how}），{times} 次 timerfd_settime",
    "of one client": "只有一个客户端",
    "beside an idle client": "旁边有一个空闲的客户端",
    "beside one that was refused": "旁边有一个遭到拒绝的客户端",
    "with --heartbeat 0.5": "用 --heartbeat 0.5",
    "{woken} wake-ups in two seconds without a client": "没有客户端，两秒内却醒来 {woken} 次",
    "the server said something": "服务器发来了数据",
    "no EPOLLONESHOT": "没有 EPOLLONESHOT",
    "100 requests, {found} EPOLL_CTL_MOD": "100 个请求，{found} 次 EPOLL_CTL_MOD",
    "the first SIGTERM did not wait for the client": "第一个 SIGTERM 没有等客户端",
    "{flags}: 100 requests, {got} epoll_ctl counted":
        "{flags}：100 个请求，数到 {got} 次 epoll_ctl",
    "no member epoll_ctl in /stats: {members}": "/stats 里没有成员 epoll_ctl：{members}",
    "no member epoll_ctl in /stats": "/stats 里没有成员 epoll_ctl",
    "/stats says {seen}, strace {counted}": "/stats 说 {seen}，strace 说 {counted}",
    "{read} bytes of text were read first": "先读了 {read} 字节文本",
    "{answers} of 3 answers came": "3 个响应只来了 {answers} 个",
    "{answers} of 3 answers said so": "3 个响应中有 {answers} 个这样说",
    "status {who}": "状态 {who}",
    "a text client got {got} of {all} bytes": "一个文本客户端收到 {all} 字节中的 {got} 字节",
    "one line with open {open}, requests {requests} was expected; (open, requests) {got} came":
        "应当有一行 open {open}、requests {requests}；来的 (open, requests) 是 {got}",
    "libevent complains: {text}": "libevent 报告：{text}",
    "SIGUSR1 ended the server, status {status}": "SIGUSR1 结束了服务器，状态 {status}",
    "{flags}, before the first loop runs: SIGUSR1 ended the server, status {status}":
        "{flags}，第一个循环还没有运行：SIGUSR1 结束了服务器，状态 {status}",
    "{flags}, after the first loop: SIGUSR1 ended the server, status {status}":
        "{flags}，第一个循环结束之后：SIGUSR1 结束了服务器，状态 {status}",
    "no new line on stdout, but {printed}": "stdout 上没有新的一行，只有 {printed}",
    "(open, requests) {got}, expected {wanted}": "(open, requests) 是 {got}，应当是 {wanted}",
    "it costs {bytes} bytes more": "多占 {bytes} 字节",
    "the busy client was closed too early ({early})": "忙碌的客户端关闭得太早（{early}）",
    "a small request took {seconds} s": "一个小请求用了 {seconds} 秒",
    "{got} of {all} bytes came back, or not the same ones":
        "{all} 字节返回了 {got} 字节，或者内容不同",
    "{got} of {all} bytes came back, then nothing more":
        "{all} 字节返回了 {got} 字节，然后再也没有",
    "{got} of {all} bytes came back": "{all} 字节返回了 {got} 字节",
    "{number} of {all} answers came, then nothing more: {why}":
        "{all} 个响应来了 {number} 个，然后再也没有：{why}",
    "answer {number}: {body}": "第 {number} 个响应：{body}",
    "closed after {seconds} s": "{seconds} 秒后关闭",
    "closed after {got} bytes": "{got} 字节后关闭",
    "chunked, and a Content-Length all the same": "分块了，却还有 Content-Length",
    "n={n}: {got} bytes, expected {wanted}": "n={n}：{got} 字节，应当是 {wanted}",
    "the next request went wrong": "下一个请求出错",
    "{got} came": "收到的是 {got}",
    "chunks for an HTTP/1.0 client": "给 HTTP/1.0 客户端发了分块",
    "the server has grown by {grown} KiB for a client that stalls":
        "为一个卡住的客户端，服务器多占了 {grown} KiB",
    "the server has grown by {grown} KiB for a client that sends {sent} bytes while it reads":
        "客户端一边读一边发，共发了 {sent} 字节，服务器为它多占了 {grown} KiB",
    "the server does not start: {why}": "服务器没有启动：{why}",
    "a client waited for the server to answer, or to close, and it did neither":
        "客户端在等服务器响应或关闭连接，服务器却两样都没做",
    "the server did not end within {seconds} s": "服务器在 {seconds} 秒内没有结束",
    "A body may be as large as --max-body says: with 4000000, one of 3,000,000 bytes comes back; "
    "and those of three clients who read when all have sent, to each its own.":
        "请求体可以和 --max-body 一样大：设为 4000000 时，3,000,000 字节的也能倒过来返回；三个客户端"
        "都发完之后才读的，各自收到自己的那一份。",
    "of three clients that have 3 MB to read at the same time, number {number} got another body "
    "than its own":
        "三个客户端同时各有 3 MB 要读，第 {number} 个收到的不是自己的那一份",
    "A client that asks before it sends the body (`Expect: 100-continue`) is told to send it.":
        "先问再发请求体的客户端（`Expect: 100-continue`），会得到可以发送的答复。",
    "a body of 3,000,000 bytes ended the connection": "3,000,000 字节的请求体使连接中断了",
    "Who waits is let in where there is room: six loops with one place each serve six clients at "
    "once.":
        "哪里有空位，等待的客户端就从哪里进来：六个循环各有一个名额，同时服务六个客户端。",
    "client {number} of {all} waits in front of a full loop, and {free} loops are free":
        "{all} 个客户端中，第 {number} 个在等一个满员的循环，而有 {free} 个循环空着",
    "What else comes by the clock still comes, and neither too early nor at the price of a "
    "spinning loop: --heartbeat 0.05 prints three lines within a second, one or two wake-ups "
    "each.":
        "其他按时间做的事照样做，既不提前，循环也不空转：--heartbeat 0.05 "
        "在一秒内打印三行，每行一两次唤醒。",
    "{woken} wake-ups for {beats} beats": "{beats} 次心跳，醒来 {woken} 次",
    "A deadline wakes the loop once or twice, and it sleeps until then: a client that says "
    "something after 1.5 s, and is closed after 2 s of silence, costs at most 14 wake-ups.":
        "一个期限唤醒循环一两次，在那之前循环一直阻塞：一个客户端在 1.5 秒后说话，再沉默 2 "
        "秒后关闭，最多醒来 14 次。",
    "A far deadline is no near one: with --idle-timeout of a month, or of what overflows 32 bits "
    "of milliseconds, the loop sleeps.":
        "远的期限不能变成近的：--idle-timeout 是一个月，或者超出 32 位毫秒数时，循环照样阻塞。",
    "--idle-timeout {seconds}: {woken} wake-ups in 0.6 s of silence":
        "--idle-timeout {seconds}：沉默的 0.6 秒内醒来 {woken} 次",
    "--heartbeat 0.05 printed {lines} lines in a second":
        "--heartbeat 0.05 一秒内打印了 {lines} 行",
    "{woken} wake-ups for one time-out": "一次超时，醒来 {woken} 次",
    "An answer of 1 MB that the client takes in many pieces comes to its end, whatever --rearm "
    "says: who writes on must ask again, too.":
        "不论 --rearm 是什么，客户端分许多次取走的 1 MB 响应能收完：要继续写，也得再次关注。",
    "Who was closed in a batch is not looked at after it, whoever ended the connection, whatever "
    "--rearm says: its memory is free. valgrind looks.":
        "不论 --rearm 是什么，不论是谁结束了连接，一批里关闭了的，这批之后不能再看："
        "它的内存已经释放。由 valgrind 检查。",
    "valgrind says: {text}, {where}": "valgrind 报告：{text}，{where}",
    "Four loops that count at the same time lose nothing: each of 50,000 bytes for the text port "
    "costs four calls of --rearm=del-add.":
        "四个循环同时计数，一次也不会漏掉：用 --rearm=del-add 时，发给文本端口的 50,000 "
        "个字节，每个四次调用。",
    "The other stages answer GET /stats as before, with the member as 0 or without it.":
        "其他阶段照旧响应 GET /stats，这个成员是 0，或者没有。",
    "{stage}: {found} epoll_ctl counted": "{stage}：数到 {found} 次 epoll_ctl",
    "It is counted when it is made: what 20 clients of the text port cost, which the loop finds "
    "together with GET /stats and before it, is told in the answer to that; and so is what another "
    "loop has done for one client before it serves the next.":
        "调用时就要计数：文本端口的 20 个客户端与 GET /stats 在同一批，排在它前面，"
        "它们的调用已经算在这个响应里；另一个循环为一个客户端做过的，"
        "在它处理下一个客户端之前，也已经算在内。",
    "What a loop has done before it sleeps is in the number, whichever loop is asked.":
        "循环阻塞之前做过的都算在内，不论问的是哪个循环。",
    "A loop that has ended in a drain is still counted, to its last call, while the last one "
    "drains: strace counts, too.":
        "优雅退出时，已经结束的循环仍然算在内，直到它的最后一次调用，而最后一个还没有结束："
        "strace 也在数。",
    "{made} calls were made before the last loop was asked, and {counted} are counted: not the "
    "last ones of a loop that has ended":
        "向最后一个循环询问之前调用了 {made} 次，计数是 {counted}："
        "已经结束的循环，最后几次没有算上",
    "And nobody looks at the memory that it had: valgrind looks.":
        "它用过的内存也不能再看：由 valgrind 检查。",
    "the loops whose clients are idle do not end": "客户端空闲的循环没有结束",
    "{before} calls were counted before SIGTERM, and {after} after three of four loops have "
    "ended":
        "SIGTERM 之前的计数是 {before}，四个循环结束了三个之后是 {after}",
    "{made} calls were made, and {counted} are counted, while another loop is between two clients":
        "调用了 {made} 次，计数是 {counted}，这时另一个循环正在两个客户端之间",
    "of 4 requests, strace saw {seen} read": "4 个请求，strace 看到读了 {seen} 个",
    "{made} calls were made, and {counted} are counted": "调用了 {made} 次，计数是 {counted}",
    "one processor runs one loop at a time": "只有一个处理器，同一时刻只运行一个循环",
    "Text that is owed waits as well: the HTTP client's answer goes out before text clients that "
    "have begun to read get more.":
        "欠着的文本也要等：先发出 HTTP 客户端的响应，然后开始读的文本客户端才继续收到数据。",
    "So it is in each loop: with --threads 2 either reads its HTTP clients before its text "
    "clients.":
        "每个循环都是这样：用 --threads 2 时，两个循环都先读 HTTP 客户端，再读文本客户端。",
    "the HTTP client got no answer": "HTTP 客户端没有得到响应",
    "{times} times text was written before the HTTP client's answer":
        "在 HTTP 客户端的响应之前，写了 {times} 次文本",
    "{read} of {all} clients were read": "{all} 个客户端中读了 {read} 个",
    "one of two loops read text first, and {late} HTTP clients after it":
        "两个循环中有一个先读了文本，后来才读 {late} 个 HTTP 客户端",
    "it is written by a thread that is no loop": "写出它的线程不是循环",
    "The signal ends nothing: neither from the line `listening on` on, before the first loop runs, "
    "nor after that one has ended; strace makes both last.":
        "这个信号什么也不结束：从打印出 `listening on` 那一行起、第一个循环还没有运行时不会，"
        "第一个循环结束之后也不会；strace 让这两段时间变长。",
    "While the server drains it says so, too, and goes on draining; so it does where the first of "
    "two loops has drained.":
        "优雅退出期间也打印，然后继续退出；两个循环中第一个已经结束时，也继续退出。",
    "A client that ends its side behind the request gets all of n=1000000.":
        "客户端发完请求就关闭了自己这一端，仍然收到 n=1000000 的全部内容。",
    "With SIGTERM in the middle, n=1000000 is exact all the same; then the server ends. It waits "
    "for nobody who has had his answer.":
        "中途来了 SIGTERM，n=1000000 照样分毫不差；然后服务器结束，不等已经收到响应的客户端。",
    "SIGTERM, and n=1000000 ended after {got} bytes with {tail}":
        "SIGTERM 之后，n=1000000 在 {got} 字节后以 {tail} 结束",
    "FIN behind the request, and n=1000000 ended after {got} bytes with {tail}":
        "请求后面就是 FIN，n=1000000 在 {got} 字节后以 {tail} 结束",
    "With four loops that count at the same time no memory is shared: ThreadSanitizer looks.":
        "四个循环同时数数，不共享内存：由 ThreadSanitizer 检查。",
    "n=50000 ended with {tail}": "n=50000 以 {tail} 结束",
    "Who is gone is not looked at again: 6 clients that reset the connection while there is more "
    "of them to read, one that the clock ends, and some of whom bytes come in the turn in which "
    "the clock or SIGTERM ends them. Their memory is free: valgrind looks.":
        "走了的不能再看：6 个客户端在还有数据没读完时复位连接；一个因超时关闭；"
        "还有几个在因超时或 SIGTERM 关闭的同一轮里又发来字节。"
        "它们的内存已经释放：由 valgrind 检查。",
    "What was true stays true: drains, limits, time-outs, four loops (black-box tests).":
        "原来成立的仍然成立：优雅退出、上限、超时、四个循环（黑盒测试）。",
    "What was true of the other routes stays true (black-box tests).":
        "其他路由原来怎样，现在还怎样（黑盒测试）。",
    "What was true of evhttp_server stays true (black-box tests).":
        "evhttp_server 原来怎样，现在还怎样（黑盒测试）。",
    "What was true stays true: other routes, drains, limits, time-outs, four loops (black-box "
    "tests).":
        "原来成立的仍然成立：其他路由、优雅退出、上限、超时、四个循环（黑盒测试）。",
    "{test} should pass as it did before: {command}":
        "{test} 应当和原来一样能通过：{command}",
    "ThreadSanitizer does not run here: see notes/machine.md":
        "ThreadSanitizer 在这里运行不了：见 notes/machine.md",
    "pytest says: {text}": "pytest 报告：{text}",
    "Who has a connection is served, too, where no descriptor is left for who waits: text that "
    "comes in the same batch as another client is answered, and that one as soon as there is room.":
        "等待的客户端得不到描述符时，已经连上的照样得到服务：和另一个客户端在同一批里到来的文本有响应；"
        "一有空位，那个客户端也能进来。",
    "Who has a connection is served, too, at the connection limit: of one loop and of two, text "
    "that comes in the same batch as the clients that fill them is answered.":
        "到了连接上限，已经连上的照样得到服务：不论一个循环还是两个，占满它们的客户端到来的同一批里，"
        "到来的文本也有响应。",
    "Who reads late what it is owed has all its time from then on: with --idle-timeout 3 it is "
    "closed three seconds after that, although the loop has slept meanwhile.":
        "很晚才读走欠它的数据的客户端，从那时起重新计时：用 --idle-timeout 3 "
        "时，再过三秒才关闭，尽管循环其间一直阻塞。",
    "closed {seconds} s after it had read": "读完后 {seconds} 秒就关闭了",
    "ok": "通过",
    "missing": "还缺",
    "exercise {id}: {count} to go": "练习 {id}：还差 {count} 项",
    "exercise {id}: not known, {count} of its points were skipped":
        "练习 {id}：还不知道，跳过了 {count} 项",
    "exercise {id}: solved": "练习 {id}：已解决",
}
