// Copying a directory of an image with all that makes it what it is: owners, modes, extended
// attributes, times, links, nodes and holes. For trees that nobody changes meanwhile; nothing in
// them is followed or opened but directories and regular files. Any thread.
#pragma once

#include <string>

#include "isolation/base/result.h"

namespace skiff::isolation {

// What is below `from` into `to`, an empty directory that nobody else knows; ids as this process
// sees them. Files with several names below `from` keep them. Both are open for reading.
Result<> CopyTreeUp(int from, int to);

// Owner, mode, extended attributes and time of the directory `from` on the directory `to`. Once
// all is in it that is to be in it: the time changes otherwise.
Result<> CopyLook(int from, int to);

}  // namespace skiff::isolation
