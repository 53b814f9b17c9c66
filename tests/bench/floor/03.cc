// Floor of stage 3: libevent's event_del, event_assign and event_add swap reading and writing. With
// --rearm=eager one persistent event reads and the answer is sent at once; with --changelist the
// base collects the changes of a batch and makes them together. As in the stage, each connection
// has a timer that an answer starts again: with a common time-out, so it stands in a queue.

#include <event2/event.h>
#include <event2/event_struct.h>

#include "tests/bench/floor/floor.h"

namespace {

struct Connection {
  event ev, timer;
  std::string_view answer;
};

Floor* server;
event_base* base;
bool eager;
const timeval* idle;

void hang(Connection* c, int fd, short interest, event_callback_fn handler) {
  event_assign(&c->ev, base, fd, static_cast<short>(interest | EV_PERSIST), handler, c);
  event_add(&c->ev, nullptr);
}

void swap(Connection* c, int fd, short interest, event_callback_fn handler) {
  event_del(&c->ev);
  hang(c, fd, interest, handler);
}

void on_readable(int fd, short, void* arg);

void close_connection(int, short, void* arg) {
  auto* c = static_cast<Connection*>(arg);
  const int fd = event_get_fd(&c->ev);
  event_del(&c->ev);
  event_del(&c->timer);
  close(fd);
  delete c;
}

void answer(Connection* c, int fd) {
  say(fd, c->answer);
  event_add(&c->timer, idle);
}

void on_writable(int fd, short, void* arg) {
  auto* c = static_cast<Connection*>(arg);
  answer(c, fd);
  swap(c, fd, EV_READ, on_readable);
}

void on_readable(int fd, short, void* arg) {
  auto* c = static_cast<Connection*>(arg);
  c->answer = server->receive(fd);
  if (!c->answer.empty()) return eager ? answer(c, fd) : swap(c, fd, EV_WRITE, on_writable);
  close_connection(fd, EV_READ, c);
}

void on_acceptable(int listener, short, void*) {
  auto* c = new Connection{};
  hang(c, accept_client(listener).fd.release(), EV_READ, on_readable);
  evtimer_assign(&c->timer, base, close_connection, c);
  event_add(&c->timer, idle);
}

}  // namespace

int main(int argc, char** argv) {
  Floor floor(argc, argv);
  server = &floor;
  eager = floor.has("--rearm=eager");
  event_config* config = event_config_new();
  if (floor.has("--changelist"))
    event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
  base = event_base_new_with_config(config);
  const timeval minute{60, 0};
  idle = event_base_init_common_timeout(base, &minute);
  Connection listener{};
  hang(&listener, floor.listener(), EV_READ, on_acceptable);
  event_base_dispatch(base);
}
