// Links that are moved out of this process's network namespace into another, as linux.netDevices of
// the OCI runtime specification has it: with their lasting addresses of any family, up, and under
// another name if one is given; and back, as they were, when nothing comes of that.
//
// Single-threaded callers with rights over both namespaces. What the kernel drops with an address
// (routes, neighbours) is not brought back.
#pragma once

#include <string>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"
#include "networking/netlink.h"

namespace skiff::networking {

struct LinkMove {
  std::string name;
  // There; "": the same. One %d in it stands for a number that makes it the only one there.
  std::string new_name;
};

class MovedLinks {
 public:
  // All of them, or none when one fails: the error names it. A name that is taken in `netns`
  // (borrowed) is kConflict, a link that is not here kNotFound.
  static Result<MovedLinks> Move(const std::vector<LinkMove>& moves, int netns);
  // Every one, last first, also behind one that fails: the first error is answered. The other
  // namespace is kept until this object goes.
  Result<> MoveBack();

 private:
  struct Moved {
    Link link;  // as it was here
    Netlink::LinkState state;
    int index;  // there
  };
  MovedLinks(Netlink here, Netlink there, UniqueFd own)
      : here_(std::move(here)), there_(std::move(there)), own_(std::move(own)) {}
  Result<> MoveOne(const LinkMove& move, int netns);
  Result<> MoveOneBack(const Moved& moved);

  Netlink here_;
  Netlink there_;
  UniqueFd own_;  // this namespace
  std::vector<Moved> moved_;
};

}  // namespace skiff::networking
