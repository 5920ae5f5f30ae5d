// What the files of a layer are, written down when it is unpacked and compared later: a list of
// every name with its kind, owner, mode, size, time and, of regular files, a checksum of the
// content. It finds damage (a bit that flipped, a file that a crash or a hand took), not forgery:
// who may write the store may write the list. Extended attributes are not in it. Private to
// images/.
//
// The list is text: a line "skiff files 1", one record a name, a line "end <records>"; records end
// with a zero byte, because names may hold anything else. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "isolation/base/result.h"

struct stat;

namespace skiff::images {

// CRC-64 of a file's content as it is written.
class ContentSum {
 public:
  void Update(std::string_view bytes);
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0;
};

// The checksums of the files that were written, by inode; the last of an inode counts.
class ContentSums {
 public:
  void Note(uint64_t inode, uint64_t sum) { sums_.emplace_back(inode, sum); }
  void Sort();
  // After Sort; null: not known.
  const uint64_t* Find(uint64_t inode) const;

 private:
  std::vector<std::pair<uint64_t, uint64_t>> sums_;
};

// Writes the list of all that is beneath `directory` to the descriptor `out`. Checksums come from
// `sums` (sorted); without it files are read. A file that `sums` does not know gets none.
Result<> RecordFiles(int directory, const ContentSums* sums, int out);

enum class Scrutiny {
  kSizes,    // every name is there, of its kind and size: a system call each
  kContent,  // everything that was recorded, and that nothing was added
};

// What is wrong, a line each ("usr/bin/env: missing"), not more than a few; empty: nothing.
Result<std::vector<std::string>> CompareFiles(int directory, std::string_view list,
                                              Scrutiny scrutiny);

}  // namespace skiff::images
