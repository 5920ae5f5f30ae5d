// Names of directories and the times they get at the end, many of them in little memory: pieces of
// a megabyte, nothing around a name but its length and its time. Private to images/. One thread.
#pragma once

#include <time.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::images {

class DirectoryTimes {
 public:
  // Names have no more than kMaxTarName bytes. Bytes that are taken altogether.
  size_t Add(std::string_view name, const timespec& time) {
    Head head{time, name.size()};
    size_t needed = sizeof(head) + name.size();
    if (pieces_.empty() || used_ + needed > kPiece) {
      pieces_.emplace_back(new char[kPiece]);
      ends_.push_back(0);
      used_ = 0;
    }
    memcpy(&pieces_.back()[used_], &head, sizeof(head));
    memcpy(&pieces_.back()[used_ + sizeof(head)], name.data(), name.size());
    used_ += needed;
    ends_.back() = used_;
    return pieces_.size() * kPiece;
  }

  // In their order, until `visit` answers something that is not ok.
  template <typename Visit>
  auto ForEach(Visit visit) const -> decltype(visit(std::string(), timespec())) {
    for (size_t i = 0; i < pieces_.size(); ++i) {
      for (size_t at = 0; at < ends_[i];) {
        Head head;
        memcpy(&head, &pieces_[i][at], sizeof(head));
        at += sizeof(head) + head.size;
        auto visited = visit(std::string(&pieces_[i][at - head.size], head.size), head.time);
        if (!visited.ok()) return visited;
      }
    }
    return {};
  }

 private:
  struct Head {
    timespec time;
    size_t size;
  };
  static constexpr size_t kPiece = 1 << 20;

  std::vector<std::unique_ptr<char[]>> pieces_;
  std::vector<size_t> ends_;
  size_t used_ = 0;  // of the last piece
};

}  // namespace skiff::images
