// This host's busybox as an image in a store.
#pragma once

#include <string>

namespace skiff::test {

// Called busybox:latest; its layout is written to `directory`.
void ImportBusybox(const std::string& data_root, const std::string& directory);

}  // namespace skiff::test
