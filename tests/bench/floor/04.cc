// Floor of stage 4: a bufferevent reads and writes by itself; the callback throws the input away.
// With --changelist the base collects the changes of a batch and makes them together.

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "tests/bench/floor/floor.h"

namespace {

Floor* server;

void on_readable(bufferevent* bev, void*) {
  evbuffer* input = bufferevent_get_input(bev);
  const std::size_t size = evbuffer_get_length(input);
  const auto* bytes = reinterpret_cast<const char*>(evbuffer_pullup(input, -1));
  const std::string_view answer = server->answer_to({bytes, size});
  evbuffer_drain(input, size);
  bufferevent_write(bev, answer.data(), answer.size());
}

void on_event(bufferevent* bev, short, void*) { bufferevent_free(bev); }

void on_acceptable(int listener, short, void* base) {
  bufferevent* bev = bufferevent_socket_new(
      static_cast<event_base*>(base), accept_client(listener).fd.release(), BEV_OPT_CLOSE_ON_FREE);
  bufferevent_setcb(bev, on_readable, nullptr, on_event, nullptr);
  bufferevent_enable(bev, EV_READ);
}

}  // namespace

int main(int argc, char** argv) {
  Floor floor(argc, argv);
  server = &floor;
  event_config* config = event_config_new();
  if (floor.has("--changelist")) {
    event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
  }
  event_base* base = event_base_new_with_config(config);
  event* accepting = event_new(base, floor.listener(), EV_READ | EV_PERSIST, on_acceptable, base);
  event_add(accepting, nullptr);
  event_base_dispatch(base);
}
