// A layer as a stream that begins when it is first wanted.
#pragma once

#include <functional>
#include <memory>

#include "images/byte_source.h"
#include "images/manifest.h"
#include "images/registry/sources.h"
#include "isolation/base/result.h"

namespace skiff::images::registry {

// From source `first`; what that one does not give, from those behind it, and at last, where the
// registry's rules allow foreign layers, from the addresses that the descriptor of one has.
std::function<Result<std::unique_ptr<ByteSource>>()> LayerOpener(std::shared_ptr<Sources> sources,
                                                                 size_t first,
                                                                 const Descriptor& descriptor);

}  // namespace skiff::images::registry
