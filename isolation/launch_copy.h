// Copying what an image has below a directory into a new file system that is to cover it
// (tmpcopyup), between clone and exec. Private to launch_child.cc, and with its rules: only system
// calls, no allocation.
#pragma once

namespace skiff::isolation {

// `from` and `to` are directories (O_PATH will do); no link is followed, no mount crossed. Modes,
// owners, links, nodes and times of modification are kept. False with errno set.
bool CopyTree(int from, int to);

}  // namespace skiff::isolation
