// The files a LogWriter writes to: the newest segment, open, and what is known about the older
// ones. Keeps the log within its size by removing the oldest segment. Only opens, removes and
// truncates; the bytes go through the event loop. Owned by one LogWriter, on its thread.
#pragma once

#include <cstdint>
#include <deque>

#include "isolation/base/bytes.h"
#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"
#include "runtime/logs/segment.h"

namespace skiff::runtime {

class SegmentFiles {
 public:
  // Goes on where an earlier writer stopped, with an index record for bytes it left without one.
  // kConflict while another writer is alive.
  static Result<SegmentFiles> Open(UniqueFd directory, Bytes max_bytes);

  // Opens the next segment when `data` + `index` bytes no longer fit into this one, and removes the
  // oldest until the rest fits into the limit. On an error nothing has changed and the bytes must
  // not be written.
  Result<> MakeRoom(size_t data, size_t index);
  // What was written at data_end and index_end is complete.
  void Commit(size_t data, size_t index);
  // Cuts off what was written since the last Commit.
  void RollBack();

  int data_fd() const { return data_.get(); }
  int index_fd() const { return index_.get(); }
  uint64_t data_end() const { return data_end_; }
  uint64_t index_end() const { return index_end_; }
  uint64_t removed_bytes() const { return removed_bytes_; }

 private:
  struct Closed {
    uint32_t number;
    uint64_t bytes;
  };

  SegmentFiles(UniqueFd directory, Bytes max_bytes);
  Result<> OpenSegment(uint32_t number);
  Result<> OpenNext();
  Result<> Recover();
  Result<> RemoveOldest();
  uint64_t ClosedBytes() const;

  UniqueFd directory_;
  uint64_t max_bytes_;
  uint64_t segment_bytes_;
  uint32_t number_ = 0;
  UniqueFd data_;
  UniqueFd index_;
  uint64_t data_end_ = 0;
  uint64_t index_end_ = 0;
  uint64_t removed_bytes_ = 0;
  std::deque<Closed> closed_;
  UniqueFd claim_;  // says that the writer lives; let go first: closing the others wakes followers
};

}  // namespace skiff::runtime
