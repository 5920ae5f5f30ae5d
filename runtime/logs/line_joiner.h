// Makes lines of one stream's bytes, which arrive in pieces of any size. Pure; bytes are never
// interpreted, only searched for newlines. One per stream, on the reader's thread; copyable, so
// that a reader can look ahead.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace skiff::runtime {

struct JoinedLine {
  int64_t wall_nanoseconds;  // when its first byte arrived
  uint64_t id;               // of its first byte
  std::string_view text;     // without the newline
  bool is_partial;           // no newline follows: split, or the end of the stream
};

class LineJoiner {
 public:
  // Called with each line; its text is valid during the call.
  using Sink = std::function<void(const JoinedLine&)>;

  // `id` names the first byte of `bytes`, each further byte has the next id. Lines longer than
  // kMaxLogLine come in pieces of that length.
  void Add(std::string_view bytes, int64_t wall_nanoseconds, uint64_t id, const Sink& sink);
  // Whatever has no newline yet is a line of its own.
  void Flush(const Sink& sink);

 private:
  std::string held_;
  int64_t held_wall_ = 0;
  uint64_t held_id_ = 0;
};

}  // namespace skiff::runtime
