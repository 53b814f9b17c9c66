// Stage 4: bufferevents.
//
// New here: reading, writing and what is owed disappear into libevent. A bufferevent reads and
// writes by itself, and calls back when something has come or some has gone.
//
// Not here, on purpose: evhttp (evhttp_server.cc); TLS; bufferevent_set_timeouts, which restarts
// with every byte and has a clock per direction, where ours is one and waits for complete answers.

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <sys/socket.h>

#include <algorithm>

#include "03_libevent_raw/base.h"
#include "common/deadlines.h"
#include "common/serve.h"

namespace {

struct Loop;

struct Connection {
  int fd() const { return bufferevent_getfd(bev.get()); }

  Loop& loop;
  Bufferevent bev;
  std::unique_ptr<Session> session;
  size_t owed = 0;  // bytes in its output evbuffer when we last looked
  Deadlines<Connection>::Place place = {};
};

struct Loop {
  Worker& worker;
  Base base = make_base(worker.options);
  Buffer out{worker.context.pool};  // an answer on its way to an evbuffer
  Timer timer{base.get()};
  Event heartbeat = add_heartbeat(base.get(), worker);
  StopEvents signals = {};
  Evconnlistener listeners[2] = {};
  int accepted = 0;  // in this batch
  Deadlines<Connection> deadlines{worker.options.idle_timeout, worker.now};
};

void run(Worker& worker);
void on_acceptable(Loop& loop, UniqueFd client, Protocol protocol);
void on_readable(Connection& c);
void on_writable(Connection& c);
void decide_next(Connection& c);
void watch(Connection& c, short interest);
void on_time_up(Connection& c);
void on_signal(Loop& loop);
void close_connection(Connection& c);
void on_event(bufferevent*, short what, void* c);
void on_starved(evconnlistener*, void* loop);
void listen(Loop& loop, bool on);
// libevent calls functions with pointers; the handlers want what they point to. Between waiting and
// the first callback nothing of ours is called (libevent 2.2 has evwatch): each reads the clock.
template <void (*handler)(Connection&)>
void call(bufferevent*, void* c) {
  static_cast<Connection*>(c)->loop.worker.read_clock();
  handler(*static_cast<Connection*>(c));
}
template <void (*handler)(Loop&)>
void call(evutil_socket_t, short, void* loop) {
  static_cast<Loop*>(loop)->worker.read_clock();
  handler(*static_cast<Loop*>(loop));
}
template <Protocol protocol>
void accepted_on(evconnlistener*, evutil_socket_t fd, sockaddr*, int, void* arg) {
  Loop& loop = *static_cast<Loop*>(arg);
  loop.worker.read_clock();
  loop.worker.admission.entered();
  on_acceptable(loop, UniqueFd(fd), protocol);
}

}  // namespace

int main(int argc, char** argv) {
  prepare_libevent();
  return serve(argc, argv,
               {.name = "04_bufferevent_http",
                .number = 4,
                .flags = libevent_flags(),
                .gauges = kLibeventGauges},
               Signals::by_stage, run);
}

namespace {

void run(Worker& worker) {
  Loop loop{worker};
  event_base* base = loop.base.get();
  loop.signals = add_stop_events(base, worker, call<on_signal>, &loop);
  for (const Protocol protocol : {kText, kHttp}) {
    const auto accepted = protocol == kText ? accepted_on<kText> : accepted_on<kHttp>;
    loop.listeners[protocol] =
        make_listener(base, worker.take_listener(protocol), accepted, on_starved, &loop);
  }
  while (!worker.admission.over()) {
    listen(loop, worker.admission.accepting());
    loop.accepted = 0;
    loop.timer.at(std::min(loop.deadlines.next(), worker.admission.next_deadline()));
    event_base_loop(base, EVLOOP_ONCE);
    worker.wake_up();
    loop.deadlines.expire(on_time_up);
    worker.admission.left(loop.deadlines.free_closed());
  }
}

// evconnlistener accepts until the queue is empty; disabling it is how to stop it earlier.
void on_acceptable(Loop& loop, UniqueFd client, Protocol protocol) {
  bufferevent* bev =
      bufferevent_socket_new(loop.base.get(), client.release(), BEV_OPT_CLOSE_ON_FREE);
  Connection& c =
      loop.deadlines.add({loop, Bufferevent(bev), make_session(protocol, loop.worker.context)});
  bufferevent_setcb(bev, call<on_readable>, call<on_writable>, on_event, &c);
  // Tell on_writable of every write, not only of the one that leaves nothing.
  bufferevent_setwatermark(bev, EV_WRITE, SIZE_MAX, 0);
  watch(c, EV_READ);
  if (++loop.accepted == kAcceptsPerEvent || !loop.worker.admission.accepting()) {
    listen(loop, false);
  }
}

// libevent 2.1 reads at most 4 KiB per event, so this is bounded like the read of the other stages.
void on_readable(Connection& c) {
  evbuffer* input = bufferevent_get_input(c.bev.get());
  const size_t size = evbuffer_get_length(input);
  Buffer& to = c.session->input();
  evbuffer_remove(input, to.room(size).data(), size);
  to.commit(size);
  if (c.session->received(size) == Progress::made) c.loop.deadlines.restart_clock(c);
  decide_next(c);
}

// libevent has written some of what is owed.
void on_writable(Connection& c) {
  const size_t left = evbuffer_get_length(bufferevent_get_output(c.bev.get()));
  const size_t sent = std::exchange(c.owed, left) - left;
  if (c.session->sent(sent, left == 0) == Progress::made) c.loop.deadlines.restart_clock(c);
  decide_next(c);
}

// What next? While the client is owed much nothing more is read from it: a client that does not
// read cannot make us buffer more. Otherwise the session says whether the conversation goes on.
void decide_next(Connection& c) {
  if (c.owed >= Session::kHighWater) return watch(c, 0);
  Buffer& out = c.loop.out;
  const Phase phase = c.session->advance(out, c.loop.worker.is_drained(c.fd()));
  if (!out.empty()) bufferevent_write(c.bev.get(), out.view().data(), out.size());
  c.owed += out.size();
  out.clear();
  if (c.owed >= Session::kHighWater) return watch(c, 0);
  if (phase == Phase::over && c.owed == 0) return close_connection(c);
  if (phase == Phase::linger && c.owed == 0 && c.loop.deadlines.linger(c)) {
    shutdown(c.fd(), SHUT_WR);
  }
  watch(c, phase == Phase::over ? 0 : EV_READ);
}

// Writing is always watched by the bufferevent itself, as long as it owes something.
void watch(Connection& c, short interest) {
  if ((bufferevent_get_enabled(c.bev.get()) & EV_READ) == interest) return;
  interest == 0 ? bufferevent_disable(c.bev.get(), EV_READ)
                : bufferevent_enable(c.bev.get(), interest);
}

// If what it waited for is there, it is we who are late: one last look, not judged by the clock.
void on_time_up(Connection& c) {
  const bool owes = c.owed != 0;
  if (is_ready(c.fd(), owes) && c.loop.deadlines.last_look(c)) return;
  if (owes || !c.session->expire(c.loop.out)) return close_connection(c);
  c.loop.deadlines.restart_clock(c);
  decide_next(c);
}

// The first SIGTERM lets in who waits, and sends away who is owed nothing; the second one ends it.
void on_signal(Loop& loop) {
  loop.worker.stop_all_loops(loop.worker.read_stop_requests());
  for (const Protocol protocol : {kText, kHttp}) {
    if (!loop.listeners[protocol]) continue;
    const int fd = evconnlistener_get_fd(loop.listeners[protocol].get());
    while (UniqueFd client = loop.worker.admission.accept(fd)) {
      on_acceptable(loop, std::move(client), protocol);
    }
    loop.listeners[protocol].reset();
  }
  for (Connection* c : loop.deadlines.serving()) {
    if (c->owed == 0) on_readable(*c);
  }
}

void close_connection(Connection& c) {
  bufferevent_disable(c.bev.get(), EV_READ | EV_WRITE);
  c.loop.deadlines.close(c);
}

// Neither readable nor writable: the peer has ended its side, or the connection is gone.
void on_event(bufferevent*, short what, void* arg) {
  Connection& c = *static_cast<Connection*>(arg);
  c.loop.worker.read_clock();
  if ((what & BEV_EVENT_ERROR) != 0) return close_connection(c);
  c.session->feed_eof();
  decide_next(c);
}

void on_starved(evconnlistener*, void* arg) {
  Loop& loop = *static_cast<Loop*>(arg);
  loop.worker.read_clock();
  loop.worker.admission.pause();
  listen(loop, false);
}

void listen(Loop& loop, bool on) {
  for (const Evconnlistener& listener : loop.listeners) {
    if (!listener) continue;
    on ? evconnlistener_enable(listener.get()) : evconnlistener_disable(listener.get());
  }
}

}  // namespace
