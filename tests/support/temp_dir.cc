#include "tests/support/temp_dir.h"

#include <fcntl.h>

#include <cstdlib>

#include "isolation/sys/file.h"

namespace skiff::test {

TempDir::TempDir() {
  const char* base = getenv("TMPDIR");
  path_ = std::string(base != nullptr ? base : "/tmp") + "/skiff-test-XXXXXX";
  if (mkdtemp(path_.data()) == nullptr) abort();
}

TempDir::~TempDir() { sys::RemoveTree(AT_FDCWD, path_).Ignore(); }

}  // namespace skiff::test
