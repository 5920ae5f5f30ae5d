#include "runtime/logs/line_joiner.h"

#include <algorithm>

#include "runtime/logs/limits.h"

namespace skiff::runtime {

void LineJoiner::Add(std::string_view bytes, int64_t wall_nanoseconds, uint64_t id,
                     const Sink& sink) {
  while (!bytes.empty()) {
    if (held_.empty()) {
      held_wall_ = wall_nanoseconds;
      held_id_ = id;
    }
    size_t newline = bytes.find('\n');
    bool has_newline = newline != std::string_view::npos;
    size_t length = has_newline ? newline : bytes.size();
    size_t room = kMaxLogLine - held_.size();
    if (length > room) {
      length = room;
      has_newline = false;
    }
    std::string_view piece = bytes.substr(0, length);
    size_t used = length + (has_newline ? 1 : 0);
    bytes.remove_prefix(used);
    id += used;
    if (has_newline && held_.empty()) {  // the usual case, without a copy
      sink(JoinedLine{held_wall_, held_id_, piece, false});
      continue;
    }
    held_.append(piece);
    if (has_newline) {
      sink(JoinedLine{held_wall_, held_id_, held_, false});
      held_.clear();
    } else if (!bytes.empty()) {  // full, and the line goes on
      Flush(sink);
    }
  }
}

void LineJoiner::Flush(const Sink& sink) {
  if (held_.empty()) return;
  sink(JoinedLine{held_wall_, held_id_, held_, true});
  held_.clear();
}

}  // namespace skiff::runtime
