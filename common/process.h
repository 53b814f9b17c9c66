#pragma once
// What a process sets up once, before its loops run: standard descriptors, signals, limits, heap.

#include <string>

#include "common/socket.h"

// Opens /dev/null at whichever of the descriptors 0 to 2 are closed: the next socket would get
// their numbers. `access` as for open(2): what is written into O_RDONLY fails.
void occupy_standard_descriptors(int access);

// Descriptors 0 to 2 are open, SIGPIPE and SIGHUP ignored, SIGTERM and SIGINT blocked (they come
// through a descriptor, or to the library that unblocks them), as many descriptors as we may have.
void prepare_process();

// Readable when SIGTERM or SIGINT has come: signalfd(2). How often is read_stop_signals' answer.
UniqueFd stop_signals_descriptor();
int read_stop_signals(int fd);

// For a library that handles the stop signals as signals: lets them in, once it can.
void unblock_stop_signals();

// From now on SIGTERM and SIGINT end the process at once: no loop is left to hear of them.
void end_at_stop_signals();

// One line on stdout or stderr; dropped where that is a full pipe, because printing must not block
// a loop.
void print_line(int fd, const std::string& line);
