// What libevent holds: its events, by event_base_foreach_event, and the lengths of its evbuffers.

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/listener.h>

#include <map>
#include <set>

#include "tests/record/recorder.h"

namespace {

struct Held {
  event_base* base = nullptr;
  std::set<bufferevent*> buffered = {};
  std::map<const evconnlistener*, evconnlistener_cb> listeners = {};
};

Held& held() {
  static Held the;
  return the;
}

// "e DESCRIPTOR EVENTS FLAGS CALLBACK ARGUMENT"
int add_event(const event_base*, const event* ev, void* to) {
  std::string& text = *static_cast<std::string*>(to);
  const auto& callback = ev->ev_evcallback;
  const void* function = reinterpret_cast<void*>(callback.evcb_cb_union.evcb_callback);
  text += "\ne " + std::to_string(ev->ev_fd) + ' ' + std::to_string(ev->ev_events) + ' ' +
          std::to_string(callback.evcb_flags) + ' ' + recorder::address(function) + ' ' +
          recorder::address(callback.evcb_arg);
  return 0;
}

// "v BUFFEREVENT DESCRIPTOR INPUT OUTPUT CALLBACK"
std::string buffers_of(bufferevent* buffered) {
  static const auto input =
      recorder::next<decltype(bufferevent_get_input)>("bufferevent_get_input");
  static const auto output =
      recorder::next<decltype(bufferevent_get_output)>("bufferevent_get_output");
  static const auto length = recorder::next<decltype(evbuffer_get_length)>("evbuffer_get_length");
  static const auto descriptor = recorder::next<decltype(bufferevent_getfd)>("bufferevent_getfd");
  static const auto callbacks = recorder::next<decltype(bufferevent_getcb)>("bufferevent_getcb");
  bufferevent_data_cb reader = nullptr;
  callbacks(buffered, &reader, nullptr, nullptr, nullptr);
  return "\nv " + recorder::address(buffered) + ' ' + std::to_string(descriptor(buffered)) + ' ' +
         std::to_string(length(input(buffered))) + ' ' + std::to_string(length(output(buffered))) +
         ' ' + recorder::address(reinterpret_cast<void*>(reader));
}

}  // namespace

std::string recorder::libevent_state() {
  static const auto each = next<decltype(event_base_foreach_event)>("event_base_foreach_event");
  std::string text;
  if (held().base == nullptr) return text;
  each(held().base, add_event, &text);
  for (bufferevent* buffered : held().buffered) text += buffers_of(buffered);
  for (const auto& [listener, callback] : held().listeners) {  // "l LISTENER CALLBACK"
    text += "\nl " + address(listener) + ' ' + address(reinterpret_cast<void*>(callback));
  }
  return text;
}

event_base* event_base_new_with_config(const event_config* config) {
  static const auto real =
      recorder::next<decltype(event_base_new_with_config)>("event_base_new_with_config");
  return held().base = real(config);
}

void event_base_free(event_base* base) {
  static const auto real = recorder::next<decltype(event_base_free)>("event_base_free");
  held() = {};
  real(base);
}

bufferevent* bufferevent_socket_new(event_base* base, evutil_socket_t fd, int options) {
  static const auto real =
      recorder::next<decltype(bufferevent_socket_new)>("bufferevent_socket_new");
  return *held().buffered.insert(real(base, fd, options)).first;
}

void bufferevent_free(bufferevent* buffered) {
  static const auto real = recorder::next<decltype(bufferevent_free)>("bufferevent_free");
  held().buffered.erase(buffered);
  real(buffered);
}

evconnlistener* evconnlistener_new(event_base* base, evconnlistener_cb callback, void* argument,
                                   unsigned flags, int backlog, evutil_socket_t fd) {
  static const auto real = recorder::next<decltype(evconnlistener_new)>("evconnlistener_new");
  evconnlistener* listener = real(base, callback, argument, flags, backlog, fd);
  held().listeners[listener] = callback;
  return listener;
}

void evconnlistener_free(evconnlistener* listener) {
  static const auto real = recorder::next<decltype(evconnlistener_free)>("evconnlistener_free");
  held().listeners.erase(listener);
  real(listener);
}
