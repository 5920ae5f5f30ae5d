// Where a path of a container leads inside its root, before anything runs there: for what is
// prepared outside and mounted or bound at that place later. As a process chrooted to the root
// would go, links included, and never out of it. Any thread.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"

namespace skiff::isolation {

struct InRootPath {
  std::vector<std::string> parts;  // no link, no "." or "..": none for the root itself
  size_t existing = 0;             // so many of them are there
  mode_t mode = 0;                 // st_mode of the last one that is

  bool exists() const { return existing == parts.size(); }
  std::string Text() const;                // "/var/lib/data"
  std::string Prefix(size_t count) const;  // of the first `count` parts, relative: "var/lib"
};

// `root` is a directory's descriptor, `path` is taken from there, with or without a slash. A link
// that leads nowhere is followed to where it would. An error: something on the way is no directory,
// or links lead to one another without end. The root must not change meanwhile.
Result<InRootPath> ResolveInRoot(int root, std::string_view path);

}  // namespace skiff::isolation
