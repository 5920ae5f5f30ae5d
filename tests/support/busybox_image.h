// This host's busybox as an image in a store.
#pragma once

#include <string>

#include "images/layer_kind.h"

namespace skiff::test {

// Called busybox:latest; its layout is written to `directory`. Answers where its layer is.
std::string ImportBusybox(const std::string& data_root, const std::string& directory,
                          images::LayerChoice layers = images::LayerChoice::kAuto);

}  // namespace skiff::test
