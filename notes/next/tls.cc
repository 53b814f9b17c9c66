// Outside the four stages: TLS. A bufferevent encrypts, and the callbacks do not notice.
//
// --pem FILE: the certificate and its key.

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/ssl.h>

#include <csignal>
#include <map>
#include <memory>

#include "03_libevent_raw/base.h"
#include "common/ascii.h"
#include "notes/next/next.h"

namespace {

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using Context = std::unique_ptr<SSL_CTX, FreeContext>;

struct Loop {
  Context context;
  Base base;
  std::map<bufferevent*, Bufferevent> connections = {};
};

Context make_context(const std::string& pem) {
  Context context(check(SSL_CTX_new(TLS_server_method()), "SSL_CTX_new"));
  if (SSL_CTX_use_certificate_chain_file(context.get(), pem.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context.get(), pem.c_str(), SSL_FILETYPE_PEM) != 1) {
    check_failed("--pem FILE");
  }
  return context;
}

// While a client is owed bytes, nothing more is read from it, not even its last word.
void on_readable(bufferevent* bev, void*) {
  evbuffer* input = bufferevent_get_input(bev);
  const std::size_t size = evbuffer_get_length(input);
  auto* bytes = reinterpret_cast<char*>(evbuffer_pullup(input, -1));
  ascii_upper({bytes, size}, bytes);
  bufferevent_disable(bev, EV_READ);
  bufferevent_write_buffer(bev, input);
}

void on_sent(bufferevent* bev, void*) { bufferevent_enable(bev, EV_READ); }

// The keys are agreed upon, or the conversation is over.
void on_event(bufferevent* bev, short what, void* arg) {
  if ((what & BEV_EVENT_CONNECTED) != 0) return;
  SSL_shutdown(bufferevent_openssl_get_ssl(bev));  // "that was all": else it could have been cut
  static_cast<Loop*>(arg)->connections.erase(bev);
}

void on_accepted(evconnlistener*, evutil_socket_t fd, sockaddr*, int, void* arg) {
  Loop& loop = *static_cast<Loop*>(arg);
  Bufferevent bev(
      check(bufferevent_openssl_socket_new(loop.base.get(), fd, SSL_new(loop.context.get()),
                                           BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE),
            "bufferevent_openssl_socket_new"));
  bufferevent_setcb(bev.get(), on_readable, on_sent, on_event, &loop);
  bufferevent_enable(bev.get(), EV_READ | EV_WRITE);
  loop.connections.emplace(bev.get(), std::move(bev));
}

}  // namespace

int main(int, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  Loop loop{make_context(flag(argv, "--pem", "")), Base(check(event_base_new(), "event_base_new"))};
  UniqueFd socket = listen_as_told(argv, SOCK_NONBLOCK);
  const Evconnlistener listener(
      check(evconnlistener_new(loop.base.get(), on_accepted, &loop,
                               LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, socket.release()),
            "evconnlistener_new"));
  event_base_dispatch(loop.base.get());
}
