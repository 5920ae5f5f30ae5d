// The files an image is imported from: a directory, or the members of a tar. The tar is read once
// for its table of contents and members are then read in place; a compressed one is inflated into
// an unnamed file first, because gzip cannot be sought in. Private to images/. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "images/byte_source.h"
#include "images/store_limits.h"
#include "isolation/base/bytes.h"
#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"

namespace skiff::images {

class ImageFiles {
 public:
  struct Member {
    UniqueFd own;  // of a directory's file
    int fd;        // `own`, or the archive, borrowed
    uint64_t offset;
    uint64_t size;
  };

  // `scratch` is a directory for the unnamed file, `room` what that may take.
  static Result<ImageFiles> Open(const std::string& path, int scratch, const DiskRoom& room);

  bool Has(const std::string& name) const;
  Result<Member> Find(const std::string& name) const;  // kNotFound: "<name>: missing"
  Result<std::string> Read(const std::string& name, Bytes limit) const;

 private:
  struct Location {
    uint64_t offset = 0;
    uint64_t size = 0;
    std::string link;  // another member this one stands for
  };
  Result<> Inflate(int scratch, const DiskRoom& room);
  Result<> ReadContents();
  Result<Member> FindFile(const std::string& name) const;

  UniqueFd fd_;
  bool is_directory_ = false;
  std::map<std::string, Location> contents_;
};

}  // namespace skiff::images
