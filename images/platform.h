// What an image was built for, in the words of OCI: linux/amd64, linux/arm64/v8.
#pragma once

#include <string>
#include <string_view>

#include "isolation/base/result.h"

namespace skiff::images {

struct Platform {
  std::string os;
  std::string architecture;
  std::string variant;  // often empty

  static Result<Platform> Parse(std::string_view text);  // "os/architecture[/variant]"
  std::string ToString() const;
  // Whether something built for `offered` runs here. What `offered` leaves empty is not known to be
  // wrong.
  bool Accepts(const Platform& offered) const;
  // Among what is accepted, the higher the better: a later variant than another's.
  int Rank(const Platform& offered) const;
};

// Of the machine this runs on.
Platform HostPlatform();

}  // namespace skiff::images
