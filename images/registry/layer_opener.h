// A layer of a repository as a stream that begins when it is first wanted.
#pragma once

#include <functional>
#include <memory>

#include "images/byte_source.h"
#include "images/manifest.h"
#include "images/registry/repository.h"
#include "isolation/base/result.h"

namespace skiff::images::registry {

std::function<Result<std::unique_ptr<ByteSource>>()> LayerOpener(
    std::shared_ptr<Repository> repository, const Descriptor& descriptor);

}  // namespace skiff::images::registry
