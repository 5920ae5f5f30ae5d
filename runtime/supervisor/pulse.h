// How a supervisor wakes whoever started it and waits: a byte into its standard input, when that is
// the writing end of a pipe, each time there may be new events or log bytes to read.
//
// Why not inotify alone: closing an inotify descriptor waits for an RCU grace period (10 to 30 ms),
// longer than the rest of a short task. Never blocks; a listener that has gone is not told again.
// One thread.
#pragma once

namespace skiff::runtime {

class Pulse {
 public:
  // Ignores SIGPIPE from now on.
  static Pulse OfStandardInput();

  void Beat();

 private:
  explicit Pulse(bool is_heard) : is_heard_(is_heard) {}
  bool is_heard_;
};

}  // namespace skiff::runtime
